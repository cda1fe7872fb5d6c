package hpack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
)

// TestStaticTable: the numbers of the names are their lowest indices, and no other name has one.
func TestStaticTable(t *testing.T) {
	for i := 1; i <= 61; i++ {
		name, _ := hpack.StaticEntry(i)
		id := hpack.LookupName([]byte(name))
		if id.String() != name || int(id) > i {
			t.Errorf("%s: %d (%s)", name, id, id)
		}
		first, _ := hpack.StaticEntry(int(id))
		if before, _ := hpack.StaticEntry(int(id) - 1); first != name || before == name {
			t.Errorf("%s: %d is not its lowest index", name, id)
		}
		for _, other := range []string{name + "x", name[:len(name)-1], name[1:], strings.ToUpper(name), "\x00" + name} {
			if got := hpack.LookupName([]byte(other)); got != hpack.NameOther && got.String() != other {
				t.Errorf("%q: %d", other, got)
			}
		}
	}
	if hpack.NameWWWAuthenticate.String() != "www-authenticate" || hpack.NameRetryAfter.String() != "retry-after" ||
		hpack.NameContentType.String() != "content-type" || hpack.NameStatus.String() != ":status" || hpack.FirstFreeID.String() != "" {
		t.Error("a constant is off")
	}
	if hpack.LookupName(nil) != hpack.NameOther {
		t.Error("the empty name has a number")
	}
}

// TestRepresentation: what a field is written as, the first and the second time.
func TestRepresentation(t *testing.T) {
	long := strings.Repeat("v", 3000)
	for _, row := range []struct {
		name, value   string
		how           hpack.Indexing
		first, second string
	}{
		{":method", "GET", hpack.IndexAuto, "indexed", "indexed"},
		{":method", "GET", hpack.IndexNever, "never", "never"},
		{":method", "PUT", hpack.IndexAuto, "indexing", "indexed"},
		{":path", "/", hpack.IndexAuto, "indexed", "indexed"},
		{":path", "/a", hpack.IndexAuto, "plain", "plain"},
		{":path", "/pkg.Service/Method", hpack.IndexYes, "indexing", "indexed"},
		{":scheme", "https", hpack.IndexAuto, "indexed", "indexed"},
		{":authority", "a.example", hpack.IndexAuto, "indexing", "indexed"},
		{":status", "404", hpack.IndexAuto, "indexed", "indexed"},
		{":status", "418", hpack.IndexAuto, "plain", "plain"},
		{"accept-encoding", "gzip, deflate", hpack.IndexAuto, "indexed", "indexed"},
		{"accept-encoding", "gzip", hpack.IndexAuto, "indexing", "indexed"},
		{"accept", "", hpack.IndexAuto, "indexed", "indexed"},
		{"date", "Mon, 21 Oct 2013 20:13:21 GMT", hpack.IndexAuto, "indexing", "indexed"},
		{"content-length", "12", hpack.IndexAuto, "plain", "plain"},
		{"content-length", "12", hpack.IndexYes, "indexing", "indexed"},
		{"etag", `"abc"`, hpack.IndexAuto, "plain", "plain"},
		{"authorization", "Basic QQ==", hpack.IndexAuto, "never", "never"},
		{"proxy-authorization", "Basic QQ==", hpack.IndexAuto, "never", "never"},
		{"set-cookie", "a=b", hpack.IndexAuto, "never", "never"},
		{"cookie", "a=1234567890123456", hpack.IndexAuto, "never", "never"},
		{"cookie", "a=123456789012345678", hpack.IndexAuto, "plain", "plain"},
		{"x-custom", "", hpack.IndexAuto, "indexing", "indexed"},
		{"x-custom", "1", hpack.IndexAuto, "indexing", "indexed"},
		{"x-custom", "1", hpack.IndexNo, "plain", "plain"},
		{"x-custom", "1", hpack.IndexNever, "never", "never"},
		{"x-custom", long, hpack.IndexYes, "plain", "plain"}, // more than half of the table
		{"server", long, hpack.IndexYes, "plain", "plain"},
		{strings.Repeat("x-long-", 10), "1", hpack.IndexAuto, "indexing", "indexed"},
		{"", "", hpack.IndexAuto, "indexing", "indexed"},
	} {
		e := hpack.NewEncoder(hpack.DefaultTableSize)
		d := hpack.NewDecoder()
		for i, want := range []string{row.first, row.second} {
			b := e.AppendField(e.Begin(nil), []byte(row.name), []byte(row.value), row.how)
			if got := representation(b[0]); got != want {
				t.Errorf("%s: %.20s: %s at time %d, want %s", row.name, row.value, got, i+1, want)
			}
			wantFields := fmt.Sprintf("%s: %s\n", row.name, row.value)
			if want == "never" {
				wantFields = "!" + wantFields
			}
			if got, err := decode(&d, b); err != hpack.ErrNone || got != wantFields {
				t.Errorf("%s: %.20s: decoded %q, %v", row.name, row.value, got, err)
			}
			if d.TableSize() != e.TableSize() {
				t.Errorf("%s: %.20s: tables of %d and %d", row.name, row.value, e.TableSize(), d.TableSize())
			}
		}
	}
}

// representation names the kind of field that begins with b: RFC 7541 section 6.
func representation(b byte) string {
	switch {
	case b >= 0x80:
		return "indexed"
	case b >= 0x40:
		return "indexing"
	case b >= 0x20:
		return "size update"
	case b >= 0x10:
		return "never"
	}
	return "plain"
}

// TestFolded: a name goes out in lower case, whatever it came in and however long it is.
func TestFolded(t *testing.T) {
	for _, name := range []string{"Content-Type", "X-Request-ID", "dAtE", "x", strings.Repeat("X-Long-Name", 5), strings.Repeat("X-Long-Name", 6), strings.Repeat("Q", 200)} {
		for _, how := range []hpack.Indexing{hpack.IndexAuto, hpack.IndexYes, hpack.IndexNever} {
			e := hpack.NewEncoder(hpack.DefaultTableSize)
			d := hpack.NewDecoder()
			want := strings.ToLower(name) + ": V\n"
			if how == hpack.IndexNever {
				want = "!" + want
			}
			for range 2 {
				b := e.AppendFolded(nil, []byte(name), []byte("V"), how)
				if got, err := decode(&d, b); err != hpack.ErrNone || got != want || d.TableSize() != e.TableSize() {
					t.Errorf("%q, %v, tables of %d and %d", got, err, e.TableSize(), d.TableSize())
				}
			}
		}
	}
}

func TestAppendStatus(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	d := hpack.NewDecoder()
	for code := 100; code < 1000; code++ {
		b := e.AppendStatus(nil, code)
		if got, err := decode(&d, b); err != hpack.ErrNone || got != fmt.Sprintf(":status: %d\n", code) {
			t.Errorf("%d: %q, %v", code, got, err)
		}
		if want := e.AppendKnown(nil, hpack.NameStatus, fmt.Append(nil, code), hpack.IndexAuto); string(b) != string(want) {
			t.Errorf("%d: %x, AppendKnown %x", code, b, want)
		}
	}
}

func TestAppendUint(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	d := hpack.NewDecoder()
	for _, n := range []uint64{0, 9, 10, 1<<64 - 1} {
		b := e.AppendUint(nil, hpack.NameContentLength, n)
		if got, err := decode(&d, b); err != hpack.ErrNone || got != fmt.Sprintf("content-length: %d\n", n) {
			t.Errorf("%d: %q, %v", n, got, err)
		}
	}
}

// TestEncoderSizeUpdates: each row is a connection. "set N" is SETTINGS_HEADER_TABLE_SIZE received.
func TestEncoderSizeUpdates(t *testing.T) {
	for _, row := range []struct {
		limit uint32
		set   []uint32
		want  string // the beginning of the next block
	}{
		{4096, nil, ""},
		{4096, []uint32{4096}, ""},
		{4096, []uint32{65536}, ""}, // our own limit stays
		{4096, []uint32{100}, "3f45"},
		{4096, []uint32{0}, "20"},
		{4096, []uint32{0, 4096}, "20 3fe11f"},
		{4096, []uint32{100, 0, 4096}, "20 3fe11f"},
		{4096, []uint32{100, 4096, 50, 200}, "3f13 3fa901"},
		{4096, []uint32{4096, 65536, 4096}, "3fe11f"}, // went down, though not below ours
		{8192, nil, ""},
		{8192, []uint32{65536}, "3fe13f"},
		{100, nil, "3f45"},
		{100, []uint32{4096}, "3f45"},
		{100, []uint32{50}, "3f13"},
		{0, nil, "20"},
	} {
		e := hpack.NewEncoder(row.limit)
		for _, n := range row.set {
			e.SetTableSize(n)
		}
		if got, want := e.Begin(nil), unhex(t, row.want); string(got) != string(want) {
			t.Errorf("limit %d, set %v: %x, want %x", row.limit, row.set, got, want)
		}
		if got := e.Begin(nil); len(got) != 0 {
			t.Errorf("limit %d, set %v: again %x", row.limit, row.set, got)
		}
	}
}

// TestSizeUpdateWaits: a setting that comes while a block is encoded does not concern that block.
func TestSizeUpdateWaits(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	d := hpack.NewDecoder()
	b := e.AppendField(e.Begin(nil), []byte("a"), []byte("b"), hpack.IndexYes)
	e.SetTableSize(0)
	b = e.AppendField(b, []byte("a"), []byte("b"), hpack.IndexYes)
	if got, err := decode(&d, b); err != hpack.ErrNone || got != "a: b\na: b\n" {
		t.Errorf("%q, %v", got, err)
	}
	d.SetTableSize(0)
	b = e.AppendField(e.Begin(nil), []byte("a"), []byte("b"), hpack.IndexYes)
	if got, err := decode(&d, b); err != hpack.ErrNone || got != "a: b\n" || d.TableSize() != 0 || e.TableSize() != 0 {
		t.Errorf("%q, %v, tables of %d and %d", got, err, e.TableSize(), d.TableSize())
	}
}

// TestVaryingNames: values that never come again do not push out those that do.
func TestVaryingNames(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	d := hpack.NewDecoder()
	inserted := 0
	for i := range 1600 {
		b := e.AppendField(e.Begin(nil), []byte("server"), []byte("sluice"), hpack.IndexAuto)
		at := len(b)
		b = e.AppendField(b, []byte("x-request-id"), fmt.Appendf(nil, "id-%d", i), hpack.IndexAuto)
		if representation(b[at]) == "indexing" {
			inserted++
		}
		if got, err := decode(&d, b); err != hpack.ErrNone || got != fmt.Sprintf("server: sluice\nx-request-id: id-%d\n", i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if inserted < 90 || inserted > 110 {
		t.Errorf("%d of 1600 indexed, want about 100", inserted)
	}
}

// TestWorkingSet: fields that fit into the table are found there again, all of them but for a few
// that lost their slot.
func TestWorkingSet(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	var b []byte
	for round := range 3 {
		found := 0
		for i := range 80 {
			b = e.AppendKnown(b[:0], hpack.NameServer, fmt.Appendf(nil, "%d", i*7919), hpack.IndexYes)
			if representation(b[0]) == "indexed" {
				found++
			}
		}
		if round > 0 && found < 78 {
			t.Errorf("round %d: %d of 80 found", round, found)
		}
	}
	if n := e.Footprint(); n > 4096+128*12+128*16 {
		t.Errorf("%d bytes", n)
	}
}

// TestUnusedEncoder: no memory before the first field is indexed.
func TestUnusedEncoder(t *testing.T) {
	e := hpack.NewEncoder(hpack.DefaultTableSize)
	b := e.AppendStatus(e.Begin(nil), 200)
	b = e.AppendField(b, []byte("x"), []byte("y"), hpack.IndexNo)
	_ = e.AppendUint(b, hpack.NameContentLength, 1)
	if n := e.Footprint(); n != 0 {
		t.Errorf("%d bytes", n)
	}
}
