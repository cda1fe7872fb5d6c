package htpasswd

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// vectors are of openssl passwd, of crypt(3), with the salts of the SHA-crypt specification among them, and of htpasswd.
var vectors = []struct{ hash, password string }{
	{"$apr1$corpus$9BRgQkM0YTXu6JsqJgs4I1", "pass-a"},
	{"$1$abc$jWy0FsfCoVBK.I85XpXf30", "hello"},
	{"$5$abcdef$1T1JJRvdUAZfCw7Rs/a0uAQUnzM59cXA2Tg8wBVzKI.", "hello"},
	{"$5$abc$bBHLwRRW2Li0XKaX13kz/g2fkDil4Jx46aNvd.48MS8", ""},
	{"$6$abcdef$TFJ66cw14r7NiBIs0IvfGppFiZc6qbuzeB5bTEy5Pl5dihRVOoywPZrRNi2iLxdN51p8A5eP/BMMWLrTLDuwz.",
		"a longer password than sixty-four bytes, so that the digest is drawn out twice over"},
	{"$6$rounds=1400$anotherlong$Ue8V2Wt9.jC6uIDQnvFB.eZ5XCSsEV6o2oe.wCwKjyDRAP/6IBimjKACHggUg/G3769odbqc6uGEnnlldpU490", "pw"},
	{"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"},
	{"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!"},
	{"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!"},
	{"$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q", "pw"},
	{"{SHA}9j/GtiXieg3v93NnyEHrikZecHk=", "pass-b"},
	{"abmF1QH4PEr.E", ""},
	{"zZIYPywLPDblE", "pass"},
	{"./xZjzHv5vzVE", "password"},
	{"9Qn8m2ra0GqKo", "\xfc8bit!"},
	{"abzlUXK5ed5rs", "pw"},
	{"coo3qDejT5W4w", "pass-e"},
	{"{PLAIN}pass-c", "pass-c"},
	{"{PLAIN}", ""},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		h, err := Parse(v.hash)
		if err != nil {
			t.Errorf("%s: %v", v.hash, err)
			continue
		}
		if !h.Verify([]byte(v.password)) {
			t.Errorf("%s does not take %q", v.hash, v.password)
		}
		for _, wrong := range []string{v.password + "x", "x" + v.password, v.password + "\x00", strings.Repeat("x", MaxPassword+1)} {
			if len(v.hash) == 13 && len(v.password) >= 8 && wrong == v.password+"x" {
				continue // the first eight characters are all that counts
			}
			if h.Verify([]byte(wrong)) {
				t.Errorf("%s takes %q", v.hash, wrong)
			}
		}
		if s := fmt.Sprintf("%v %+v %#v %s", h, h, h, &h); strings.Contains(s, v.password) && !strings.Contains("Hash of a password", v.password) {
			t.Errorf("it prints as %s", s)
		}
	}
	if (Hash{}).Verify(nil) {
		t.Error("no hash takes a password")
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "x", "abzlUXK5ed5r", "abzlUXK5ed5rs.", "abzlUXK5ed5r!", "$", "$2x$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q",
		"$2y$31$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q", "$2y$03$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q",
		"$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9", "$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q:",
		"$apr1$corpus$9BRgQkM0YTXu6JsqJgs4I", "$apr1$", "$apr1$saltsalts$9BRgQkM0YTXu6JsqJgs4I1",
		"$5$rounds=999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
		"$5$rounds=999999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
		"$5$rounds=99999999999999999999$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
		"{SHA}", "{SHA}eA==", "{SSHA}eA==", "{SHA}9j/GtiXieg3v93NnyEHrikZecHkx",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestRead(t *testing.T) {
	const a, b = "{PLAIN}a", "{PLAIN}b"
	for _, row := range []struct {
		text     string
		want     map[string]string
		unusable int
	}{
		{"", map[string]string{}, 0},
		{"# a comment\n\nu:" + a, map[string]string{"u": a}, 0},
		{"u:" + a + "\r\nv:" + b + ":a comment\n", map[string]string{"u": a, "v": b}, 0},
		{"u:" + a + "\nu:" + b + "\n", map[string]string{"u": a}, 0},
		{"u:crypt\nu:" + b + "\n", map[string]string{}, 1}, // the first line counts
		{"nothing\n:" + a + "\nv:" + b, map[string]string{"v": b}, 2},
	} {
		users, unusable, whole := Read(row.text)
		if !maps.Equal(users, row.want) || unusable != row.unusable || !whole {
			t.Errorf("%q: %q, %d unusable, %v", row.text, users, unusable, whole)
		}
	}
	if _, _, whole := Read(strings.Repeat("x", 1)); !whole {
		t.Error("a small file is not whole")
	}
	var many strings.Builder
	for i := range MaxUsers + 1 {
		fmt.Fprintf(&many, "u%d:{PLAIN}x\n", i)
	}
	if _, _, whole := Read(many.String()); whole {
		t.Error("too many users are taken")
	}
}

func TestReadMap(t *testing.T) {
	users, unusable, whole := ReadMap(map[string][]byte{"u": []byte("{PLAIN}a\n"), "v": []byte("x"), "w:x": []byte("{PLAIN}a"), "": []byte("{PLAIN}a")})
	if !maps.Equal(users, map[string]string{"u": "{PLAIN}a"}) || unusable != 3 || !whole {
		t.Errorf("%q, %d unusable, %v", users, unusable, whole)
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range vectors {
		f.Add("u:"+v.hash+"\n", v.password)
	}
	f.Add("#\n\r\n:\nu:\n", "")
	f.Fuzz(func(t *testing.T, text, password string) {
		users, _, whole := Read(text)
		if !whole {
			return
		}
		n := 0
		for name, hash := range users {
			h, err := Parse(hash)
			if err != nil || name == "" || strings.ContainsAny(name, ":\n") {
				t.Fatalf("%q: %q, %v", name, hash, err)
			}
			if n++; n < 3 {
				h.Verify([]byte(password))
			}
		}
	})
}
