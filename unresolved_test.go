package sluice

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestUnresolvedNamesAreLoggedInPart: thousands of names that fail do not flood the log, and are counted in it.
func TestUnresolvedNamesAreLoggedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text lockedBuffer
		failed := unresolved(slog.New(slog.NewTextHandler(&text, nil)))
		for range 5000 {
			failed("nothing.invalid", errors.New("no such host"))
		}
		if n := strings.Count(text.String(), "\n"); n != 20 {
			t.Errorf("%d lines, want 20", n)
		}
		time.Sleep(time.Second)
		failed("nothing.invalid", errors.New("no such host"))
		if !strings.Contains(text.String(), "others=4980\n") {
			t.Error("what was left out is not counted")
		}
	})
}
