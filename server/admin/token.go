package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/cloudwego/hertz/pkg/app"
)

// A connection over loopback does not prove who made it: on the host's network every process of the node can
// make one, and an object that decides where a name leads can have the gateway itself connect. So the admin
// address requires a token, from a file with few readers. The file is made where there is none, for a
// gateway that runs as its operator's own user. The socket needs no token: its mode is the proof.

const (
	// minToken is the least number of bytes of a token, and maxToken the most that are read.
	minToken = 16
	maxToken = 4 << 10
)

// token is the file of a token. It is read for each request, so that a mounted Secret can be
// exchanged. Safe for concurrent use.
type token string

// ensure makes the file where there is none, and otherwise reports its fault.
func (t token) ensure() error {
	var random [32]byte
	rand.Read(random[:])
	file, err := os.OpenFile(string(t), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		_, err = t.read()
		return err
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	return errors.Join(err, file.Close())
}

// read returns the token. A file that another user than root or the gateway's own has written, or could,
// is refused: in a folder with write access for all, another user may have made it first.
func (t token) read() ([]byte, error) {
	if t == "" {
		return nil, errors.New("listen.admin_token_file is empty")
	}
	// In a folder with write access for all, another user's link could choose among files of root.
	if link, err := os.Lstat(string(t)); err == nil && !ours(link) {
		return nil, t.foreign()
	}
	// A FIFO would hold a blocking open up.
	file, err := os.OpenFile(string(t), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || !ours(info) {
		return nil, t.foreign()
	}
	text := make([]byte, maxToken)
	n, _ := file.Read(text)
	text = bytes.TrimSpace(text[:n])
	if len(text) < minToken {
		return nil, fmt.Errorf("%s has fewer than %d bytes", t, minToken)
	}
	return text, nil
}

func (t token) foreign() error {
	return fmt.Errorf("%s must be a file of root or of the gateway's own user that nobody else can write", string(t))
}

// ours reports whether a file belongs to root or to the gateway's own user.
func ours(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}

// require refuses a request without the token, as a bearer token or, for browsers, as a password of any user.
func (t token) require(ctx context.Context, c *app.RequestContext) {
	want, err := t.read()
	if err == nil && sameToken(shownToken(c.GetHeader("Authorization")), want) {
		c.Next(ctx)
		return
	}
	c.Response.Header.Set("WWW-Authenticate", `Basic realm="sluice", charset="UTF-8"`)
	reason := "show the token in " + string(t) + " (listen.admin_token_file), as Authorization: Bearer or as the password of any user; " +
		"over the socket (listen.admin_socket) none is needed"
	if err != nil {
		reason = "nobody is answered here, because there is no token: " + err.Error() + "; use the socket (listen.admin_socket)"
	}
	refuse(c, 401, reason)
}

// shownToken returns the token in an Authorization field, or nothing.
func shownToken(field []byte) []byte {
	scheme, rest, _ := bytes.Cut(field, []byte(" "))
	rest = bytes.TrimSpace(rest)
	switch {
	case bytes.EqualFold(scheme, []byte("Bearer")):
		return rest
	case bytes.EqualFold(scheme, []byte("Basic")):
		text, err := base64.StdEncoding.DecodeString(string(rest))
		if err != nil {
			return nil
		}
		_, password, _ := bytes.Cut(text, []byte(":"))
		return password
	}
	return nil
}

// sameToken takes as long for every pair of tokens.
func sameToken(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return len(b) >= minToken && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
