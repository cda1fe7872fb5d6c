package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// maxFiles and maxFolders bound the reading below the root: a link may lead to the root of the machine.
	maxFiles   = 100_000
	maxFolders = 10_000
	// maxTogether bounds the sizes of all manifests, whose objects are kept in memory.
	maxTogether = 1 << 30
	// maxIgnored bounds the files that are named as not read.
	maxIgnored = 20
)

// folder is the result of a scan below the root. Paths are shown under the configured name of the root;
// real ones differ where there are links.
//
// Real folders come first, and a folder that several links lead to is read once, under the name found
// first, so that no arrangement of links makes the work more than the number of folders.
type folder struct {
	// files are the manifests, by the path that is shown.
	files map[string]fs.FileInfo
	// faults has the reason why an entry is left out, by the path that is shown. An entry that
	// cannot be looked into is unknown, rather than empty.
	faults map[string]string
	// dirs has the path that is shown of each real folder.
	dirs map[string]string
	// linked is true where a link to a folder was followed: the watch does not see changes of the
	// links behind it.
	linked bool
	// ignored are the first files whose names are not those of manifests, and more counts the others.
	ignored []string
	more    int

	size     int64
	entering func(real string)
	visited  map[identity]struct{}
	links    []link
	full     bool
}

// identity tells files apart, whatever their names.
type identity struct{ device, inode uint64 }

func identityOf(info fs.FileInfo) identity {
	s := info.Sys().(*syscall.Stat_t)
	return identity{uint64(s.Dev), s.Ino}
}

// leadsNowhere is the fault of a link to a file that is not there. Unlike other faults it leaves nothing
// unknown: the file is gone.
const leadsNowhere = "the link leads to nothing"

// link is a symbolic link that is still to be followed, and the folders it is in.
type link struct {
	real, shown string
	above       []identity
}

// readFolder finds the files below root, or the one file that it is. entering is called with each folder
// before it is listed, and may be nil. Only a fault of the root itself is an error.
func readFolder(root string, entering func(real string)) (*folder, error) {
	f := &folder{
		files: make(map[string]fs.FileInfo), faults: make(map[string]string), dirs: make(map[string]string),
		entering: entering, visited: make(map[identity]struct{}),
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular():
		f.files[root] = info
		return f, nil
	case !info.IsDir():
		return nil, errors.New(root + ": " + irregular(info.Mode()))
	}
	if err := f.visit(real, root, info, nil); err != nil {
		return nil, err
	}
	for len(f.links) > 0 && !f.full {
		next := f.links[0]
		f.links = f.links[1:]
		f.follow(next)
	}
	return f, nil
}

// visit lists one folder and the real ones in it. above are the folders around it.
func (f *folder) visit(real, shown string, info fs.FileInfo, above []identity) error {
	id := identityOf(info)
	if _, known := f.visited[id]; known {
		return nil
	}
	if len(f.visited) == maxFolders {
		f.stop(shown, fmt.Sprintf("more than %d folders; the rest is not read", maxFolders))
		return nil
	}
	f.visited[id] = struct{}{}
	f.dirs[real] = shown
	if f.entering != nil {
		f.entering(real)
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	above = append(above[:len(above):len(above)], id)
	for _, entry := range entries {
		if f.full {
			break
		}
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		real, shown := filepath.Join(real, entry.Name()), filepath.Join(shown, entry.Name())
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			f.links = append(f.links, link{real, shown, above})
		case entry.IsDir():
			info, err := os.Lstat(real)
			if err == nil {
				err = f.visit(real, shown, info, above)
			}
			f.failed(shown, err)
		case isManifest(shown):
			info, err := os.Lstat(real)
			if err != nil {
				f.failed(shown, err)
				continue
			}
			f.add(shown, info)
		default:
			f.ignore(shown)
		}
	}
	return nil
}

// ignore notes a file that is not read, because its name may be a mistake.
func (f *folder) ignore(shown string) {
	if len(f.ignored) == maxIgnored {
		f.more++
		return
	}
	f.ignored = append(f.ignored, shown)
}

// follow reads the target of a link.
func (f *folder) follow(l link) {
	info, err := os.Stat(l.real)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if isManifest(l.shown) {
			if _, err := os.Lstat(l.real); err == nil {
				f.faults[l.shown] = leadsNowhere
			}
		}
		return
	case err != nil:
		f.failed(l.shown, err)
		return
	case !info.IsDir():
		if isManifest(l.shown) {
			f.add(l.shown, info)
		} else {
			f.ignore(l.shown)
		}
		return
	}
	id := identityOf(info)
	for _, a := range l.above {
		if a == id {
			f.faults[l.shown] = "the link leads to a folder that it is in; it is not followed"
			return
		}
	}
	f.linked = true
	real, err := filepath.EvalSymlinks(l.real)
	if err == nil {
		err = f.visit(real, l.shown, info, l.above)
	}
	f.failed(l.shown, err)
}

func (f *folder) add(shown string, info fs.FileInfo) {
	switch {
	case !info.Mode().IsRegular():
		f.faults[shown] = irregular(info.Mode())
	case len(f.files) == maxFiles:
		f.stop(shown, fmt.Sprintf("more than %d manifests; the rest is not read", maxFiles))
	case info.Size() <= maxManifest && f.size+info.Size() > maxTogether:
		f.faults[shown] = fmt.Sprintf("the manifests before it are %d MiB together; it is not read", maxTogether>>20)
	default:
		// A file that is too large by itself is refused without being read.
		if info.Size() <= maxManifest {
			f.size += info.Size()
		}
		f.files[shown] = info
	}
}

// stop ends the search.
func (f *folder) stop(shown, reason string) {
	f.faults[shown] = reason
	f.full = true
}

// failed notes why an entry cannot be read. An entry that vanished since it was listed is no fault.
func (f *folder) failed(shown string, err error) {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ELOOP):
		f.faults[shown] = "the link leads to itself"
	default:
		f.faults[shown] = plainPathError(err).Error()
	}
}

// unknown reports whether a file that was there is at or below an entry that could not be read, so that
// nothing is known of the file.
func (f *folder) unknown(path string) (entry string, ok bool) {
	for at := path; ; at = filepath.Dir(at) {
		if reason, faulty := f.faults[at]; faulty && reason != leadsNowhere {
			return at, true
		}
		if parent := filepath.Dir(at); parent == at {
			return "", false
		}
	}
}

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// irregular names the kind of a file that is not read, because reading could block, or never end.
func irregular(mode fs.FileMode) string {
	what := "no regular file"
	switch {
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a FIFO"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return "it is " + what + ", and only regular files are read"
}
