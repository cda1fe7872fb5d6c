package fieldrule

import (
	"strings"
	"testing"

	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestOwnFields holds the list of fields that no Policy may set, which the packages that read objects can import, to what
// the request path takes for its own.
func TestOwnFields(t *testing.T) {
	const own = message.HopFields | message.FramedFields | message.ForwardedFields | 1<<message.FieldTrailer | 1<<message.FieldXRequestID
	for id := message.FieldHost; id.String() != ""; id++ {
		if refused := asked.ValidField(id.String(), "x") != nil; refused != own.Has(id) {
			t.Errorf("%s: ValidField refuses it: %v, the request path owns it: %v", id, refused, own.Has(id))
		}
	}
	for _, beginning := range []string{
		"X-Forwarded-", "X-Forwarded-Client-Cert", "X-Forwarded-TLS-Client-", "X-Original-Forwarded-", "SSL-Client-", "Client-Cert",
		"X-Client-Cert", "X-Client-Verify", "X-Client-DN", "X-SSL-Client-",
	} {
		name := beginning + "-x"
		if ClaimOf([]byte(name)) == NoClaim || asked.ValidField(name, "x") == nil {
			t.Errorf("%s: ValidField gives %v, claims %v", name, asked.ValidField(name, "x"), ClaimOf([]byte(name)))
		}
		other := "y" + name
		if ClaimOf([]byte(other)) != NoClaim || asked.ValidField(other, "x") != nil {
			t.Errorf("%s: ValidField gives %v, claims %v", other, asked.ValidField(other, "x"), ClaimOf([]byte(other)))
		}
	}
	for c := range 256 {
		name, value := string([]byte{'x', byte(c)}), string([]byte{'x', byte(c), 'x'})
		if err := asked.ValidField(name, "x"); (err == nil) != message.IsToken([]byte(name)) {
			t.Errorf("name %q: %v", name, err)
		}
		if err := asked.ValidField("x", value); (err == nil) != (strings.IndexFunc(value, isControl) < 0) {
			t.Errorf("value %q: %v", value, err)
		}
	}
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
