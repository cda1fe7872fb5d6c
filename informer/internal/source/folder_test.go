package source

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// expect compares what a scan gives.
func (d *dir) expect(what, want string) {
	d.t.Helper()
	if got := d.scan(); got != want {
		d.t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

func (d *dir) remove(name string) {
	d.t.Helper()
	if err := os.RemoveAll(filepath.Join(d.path, name)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dir) link(to, name string) {
	d.t.Helper()
	path := filepath.Join(d.path, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		d.t.Fatal(err)
	}
}

// unprivileged runs f as a user to whom the modes of files apply.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	// The user is set for this thread alone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.SetfsuidRetUid(65534); err != nil {
		t.Fatal(err)
	}
	defer unix.SetfsuidRetUid(0)
	f()
}

// TestOneBadEntry: an entry that cannot be read is rejected by its name, whatever it is, and the rest is
// served. What was read of it before stays.
func TestOneBadEntry(t *testing.T) {
	d := newDir(t)
	if err := os.Chmod(filepath.Dir(d.path), 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("good.yaml", manifestService+"---\n"+ingressManifest("a", "a.test"))
	d.write("closed/b.yaml", ingressManifest("b", "b.test"))
	d.write("closed/deeper/c.yaml", ingressManifest("c", "c.test"))
	d.write("d.yaml", ingressManifest("d", "d.test"))
	d.expect("at first", "a.test b.test c.test d.test")

	mode := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(d.path, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mode("closed", 0)
	mode("d.yaml", 0)
	d.write("d.yaml", ingressManifest("d", "later.test"))
	d.write("new/e.yaml", ingressManifest("e", "e.test"))
	mode("new", 0)
	const closed = "; File closed: it cannot be read: permission denied; the last good state of it stays" +
		"; File d.yaml: it cannot be read: permission denied; the last good state of the file stays" +
		"; File new: it cannot be read: permission denied"
	unprivileged(t, func() { d.expect("no right to read", "a.test b.test c.test d.test"+closed) })
	d.pass(time.Hour)
	unprivileged(t, func() { d.expect("an hour later", "a.test b.test c.test d.test"+closed) })
	mode("closed", 0o755)
	mode("new", 0o755)
	mode("d.yaml", 0o644)
	d.write("d.yaml", ingressManifest("d", "mended.test"))
	d.expect("with the right", "a.test b.test c.test e.test mended.test")

	d.link("loop-b", "loop-a")
	d.link("loop-a", "loop-b")
	d.link("itself.yaml", "itself.yaml")
	d.link("nowhere", "nothing.yaml")
	d.link("nowhere", "nothing")
	d.link("..", "new/up")
	d.link(".", "new/here")
	d.link("/dev/zero", "zero.yaml")
	if err := unix.Mkfifo(filepath.Join(d.path, "fifo.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(d.path, "s.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	d.write("huge.yaml", "")
	if err := os.Truncate(filepath.Join(d.path, "huge.yaml"), 1<<40); err != nil {
		t.Fatal(err)
	}
	d.write("broken.yaml", "a: [")
	d.write("z\nFile good.yaml: well.yaml", "a: [")
	d.expect("entries of all kinds", "a.test b.test c.test e.test mended.test"+
		"; File broken.yaml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; nothing of the file is served"+
		"; File fifo.yaml: it is a FIFO, and only regular files are read"+
		"; File huge.yaml: the file is larger than 64 MiB; split it; nothing of the file is served"+
		"; File itself.yaml: the link leads to itself"+
		"; File loop-a: the link leads to itself"+
		"; File loop-b: the link leads to itself"+
		"; File new/here: the link leads to a folder that it is in; it is not followed"+
		"; File new/up: the link leads to a folder that it is in; it is not followed"+
		"; File nothing.yaml: the link leads to nothing"+
		"; File s.yaml: it is a socket, and only regular files are read"+
		"; File z?File good.yaml: well.yaml: document 1: line 1: a value is missing, or begins with a character that it cannot begin with; nothing of the file is served"+
		"; File zero.yaml: it is a device, and only regular files are read")

	// A file whose place something else takes keeps its state.
	d.remove("d.yaml")
	if err := unix.Mkfifo(filepath.Join(d.path, "d.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := d.scan(); !strings.Contains(got, "mended.test; ") || !strings.Contains(got, "File d.yaml: it is a FIFO, and only regular files are read; the last good state of it stays") {
		t.Errorf("a FIFO in the place of a file: %s", got)
	}
}

// TestFIFOInPlaceOfFile: the place of a file that was looked at may have been taken when it is opened.
func TestFIFOInPlaceOfFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "a.yaml")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := decodeFile(fifo); err == nil || err.Error() != "it is a FIFO, and only regular files are read" {
		t.Errorf("error %v", err)
	}
	if _, err := ReadManifests(fifo, nil); err == nil || !strings.Contains(err.Error(), "a FIFO") {
		t.Errorf("as the root: error %v", err)
	}
}

// TestLinkedFolders: a folder is followed wherever links lead, each real one once.
func TestLinkedFolders(t *testing.T) {
	d := newDir(t)
	d.write("service.yaml", manifestService)
	// The kubelet's layout of a ConfigMap whose items have paths in sub folders.
	d.write("mount/..v1/sub/deep/c.yaml", ingressManifest("c", "v1.test"))
	d.link("..v1", "mount/..data")
	d.link("..data/sub", "mount/sub")
	d.expect("a mounted ConfigMap", "v1.test")
	d.write("mount/..v2/sub/deep/c.yaml", ingressManifest("c", "v2.test"))
	d.link("..v2", "mount/..data_tmp")
	if err := os.Rename(filepath.Join(d.path, "mount/..data_tmp"), filepath.Join(d.path, "mount/..data")); err != nil {
		t.Fatal(err)
	}
	d.expect("its next version", "v2.test")
	d.remove("mount/..v1")
	d.expect("without the one before", "v2.test")

	outside := t.TempDir()
	write(t, filepath.Join(outside, "o.yaml"), ingressManifest("o", "outside.test"))
	d.link(outside, "one")
	d.link(outside, "two")
	d.link("one", "a-third")
	d.expect("a folder outside that several links lead to", "outside.test v2.test")

	d.write("releases/5/r.yaml", ingressManifest("r", "r.test"))
	d.link("releases/5", "current")
	d.expect("a folder that is there by itself, too", "outside.test r.test v2.test")

	// Folders of links to each other, of which the paths would be endless.
	for _, name := range []string{"a", "b", "c"} {
		for _, to := range []string{"a", "b", "c"} {
			if to != name {
				d.link("../"+to, "web/"+name+"/to-"+to)
			}
		}
	}
	d.write("web/a/w.yaml", ingressManifest("w", "w.test"))
	d.expect("a web", "outside.test r.test v2.test w.test")
}

// TestGrace: an empty file, or one that is gone, keeps its state for a while, and no longer.
func TestGrace(t *testing.T) {
	const empty = "; File a.yaml: the file is empty; its last state stays for 5s and then goes"
	d := newDir(t)
	d.write("service.yaml", manifestService)
	d.write("a.yaml", ingressManifest("a", "a.test"))
	d.expect("at first", "a.test")
	d.write("a.yaml", "")
	d.expect("empty", "a.test"+empty)
	if until := d.now.Add(grace); !d.m.next.Equal(until) {
		t.Errorf("the state lapses at %v, want %v", d.m.next, until)
	}
	d.pass(2 * time.Second)
	d.write("a.yaml", "# soon\n---\n")
	d.expect("a comment", "a.test"+empty)
	d.write("a.yaml", ingressManifest("a", "b.test"))
	d.expect("filled", "b.test")
	d.pass(grace)
	d.expect("later", "b.test")

	d.write("a.yaml", "")
	d.expect("empty again", "b.test"+empty)
	d.pass(grace - 1)
	d.expect("just before", "b.test"+empty)
	d.pass(1)
	d.expect("then", "")
	if !d.m.next.IsZero() {
		t.Errorf("something lapses at %v", d.m.next)
	}

	// Moved away and back.
	d.write("a.yaml", ingressManifest("a", "a.test"))
	d.expect("filled again", "a.test")
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to)); err != nil {
			t.Fatal(err)
		}
	}
	rename("a.yaml", "a.yaml~")
	d.expect("moved away", "a.test")
	d.pass(grace / 2)
	d.write("a.yaml", "")
	d.expect("there, and empty", "a.test"+empty)
	d.pass(grace / 2)
	d.expect("no time is won by that", "")
	d.write("a.yaml", ingressManifest("a", "a.test"))
	d.expect("and filled", "a.test")
	rename("a.yaml", "a.yaml~")
	d.expect("away", "a.test")
	rename("a.yaml~", "a.yaml")
	d.expect("and back", "a.test")
	d.pass(grace)
	d.expect("for good", "a.test")

	// Another file that has the object is right at once.
	d.write("b.yaml", ingressManifest("a", "moved.test"))
	d.write("a.yaml", "")
	d.expect("the object moved", "moved.test"+empty)
	d.remove("a.yaml")
	d.expect("and its file went", "moved.test")
	d.remove("b.yaml")
	d.expect("a file goes", "moved.test")
	d.pass(grace)
	d.expect("for good", "")

	// A link that leads to nothing any more is a file that is gone.
	outside := filepath.Join(t.TempDir(), "x")
	write(t, outside, ingressManifest("l", "linked.test"))
	d.link(outside, "l.yaml")
	d.expect("a link", "linked.test")
	if err := os.Remove(outside); err != nil {
		t.Fatal(err)
	}
	d.expect("to nothing", "linked.test; File l.yaml: the link leads to nothing")
	d.pass(grace)
	d.expect("for good", "; File l.yaml: the link leads to nothing")
	d.remove("l.yaml")

	// A file that was never good has no state to keep.
	d.write("c.yaml", "a: [")
	d.scan()
	d.write("c.yaml", "")
	d.expect("broken, then empty", "")
}
