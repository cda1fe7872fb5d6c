package sink

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFile opens path for appending without ever waiting. A FIFO is opened for reading as well, which Linux allows and
// no standard does: so it opens without a reader, and a reader that goes away and comes back finds the lines written
// in between, as many as the kernel's pipe holds. A FIFO that may only be written to opens once it has a reader.
func openFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if !errors.Is(err, fs.ErrPermission) {
			return file, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
}
