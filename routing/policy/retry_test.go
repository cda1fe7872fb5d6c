package policy

import (
	"strings"
	"testing"
)

func TestParseRetryOn(t *testing.T) {
	for _, row := range []struct {
		value string
		want  RetryOn
	}{
		{"error", RetryError},
		{"error timeout", RetryError | RetryTimeout},
		{"  http_502   http_404 ", Retry502 | Retry404},
		{"error error non_idempotent", RetryError | RetryNonIdempotent},
		{"off", RetryOff},
		{"http_503 off error", RetryOff}, // as in nginx
		{"non_idempotent", RetryNonIdempotent},
		{"", 0},
		{" ", 0},
		{"sometimes", 0},
		{"http_503 sometimes", 0},
		{"http_501", 0},
		{"ERROR", 0},
		{"error,timeout", 0},
		{"error;\r\n return 200", 0},
	} {
		got, err := ParseRetryOn(row.value)
		if got != row.want || (err != nil) != (row.want == 0) {
			t.Errorf("%q: %v, %v", row.value, got, err)
		}
		if again, _ := ParseRetryOn(got.String()); again != got {
			t.Errorf("%q: read again as %v", got.String(), again)
		}
	}
	if _, err := ParseRetryOn(strings.Repeat("x", 1<<20)); err == nil || len(err.Error()) > 400 {
		t.Error("a long word is repeated, or taken")
	}
}

func TestRetryStatuses(t *testing.T) {
	var all RetryOn
	for status := range 1000 {
		on := RetryStatus(status)
		if on != 0 && !strings.HasPrefix(on.String(), "http_") {
			t.Errorf("%d is %v", status, on)
		}
		all |= on
	}
	if all != RetryStatuses {
		t.Errorf("%v", all)
	}
}

func FuzzParseRetryOn(f *testing.F) {
	f.Add("error timeout http_503")
	f.Fuzz(func(t *testing.T, s string) {
		on, err := ParseRetryOn(s)
		if again, err2 := ParseRetryOn(on.String()); err == nil && (again != on || err2 != nil) {
			t.Errorf("%q: %v is read again as %v", s, on, again)
		}
	})
}
