package message_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

func TestMethods(t *testing.T) {
	for _, c := range []struct {
		m                message.Method
		safe, idempotent bool
	}{
		{message.MethodGet, true, true}, {message.MethodHead, true, true}, {message.MethodOptions, true, true}, {message.MethodTrace, true, true},
		{message.MethodPut, false, true}, {message.MethodDelete, false, true},
		{message.MethodPost, false, false}, {message.MethodPatch, false, false}, {message.MethodConnect, false, false}, {message.MethodOther, false, false},
	} {
		if c.m.Safe() != c.safe || c.m.Idempotent() != c.idempotent {
			t.Errorf("%v: safe %v, idempotent %v", c.m, c.m.Safe(), c.m.Idempotent())
		}
	}
}
