package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// adminSocket is the Unix socket of the admin plane, for the gateway's own user and root. No Backend can
// lead to it.
type adminSocket struct {
	*net.UnixListener
	path string
	made os.FileInfo
}

// listenSocket makes the socket at a path, and replaces a file there: the gateway that started last answers,
// and the socket of a killed one is not in the way. The socket is made with its mode in a folder of its own
// and then moved, so that there is no moment in which other users can connect.
func listenSocket(path string) (*adminSocket, error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".sluice")
	if err != nil {
		return nil, err
	}
	defer os.Remove(folder)
	begun := filepath.Join(folder, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: begun, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	err = os.Chmod(begun, 0o600)
	if old, missing := os.Lstat(path); err == nil && missing == nil && old.Mode()&os.ModeSocket == 0 {
		err = fmt.Errorf("%s is there and is no socket", path)
	}
	if err == nil {
		err = os.Rename(begun, path)
	}
	s := &adminSocket{UnixListener: listener, path: path}
	if err == nil {
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		os.Remove(begun)
		return nil, errors.Join(err, listener.Close())
	}
	return s, nil
}

// Addr names the socket where it can be found.
func (s *adminSocket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close ends the listener, and removes the socket unless another gateway's has taken its place.
func (s *adminSocket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		os.Remove(s.path)
	}
	return s.UnixListener.Close()
}
