package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// adminSocket is the Unix socket of the admin plane, for the user that the gateway runs as, and root. No
// Backend can lead to it.
type adminSocket struct {
	*net.UnixListener
	path string
	made os.FileInfo
}

// listenSocket makes the socket at a path. It takes the place of what is there: the gateway that started
// last is the one to be asked, and a socket that a killed one left behind is in nobody's way. It comes there
// with its mode, by a folder of its own, so that there is no moment in which others can connect.
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
