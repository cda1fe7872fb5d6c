package policy

// KindAffinity is the Kind of Affinity.
const KindAffinity Kind = "affinity"

// Affinity keeps the requests of a client at one Endpoint, by a cookie (nginx.ingress.kubernetes.io/affinity: cookie). Its
// value is a key, a bar, and what stands for the Backend:
//
//	INGRESSCOOKIE=d41d8cd98f00b204e9800998ecf8427e|a0c7c8f4d0b3cf8ac0e6f2b4b7a9f4ad; Path=/; HttpOnly
//
// The key is random, and chooses by its hash; with Persistent it names the Endpoint.
type Affinity struct {
	Cookie string
	// Persistent keeps a client at its Endpoint for as long as that is there. Without it some clients move when an Endpoint
	// comes.
	Persistent bool
	// Path and Domain are the cookie's; "" for the path of the Route, and for none.
	Path, Domain string
	// SameSite is "" for none.
	SameSite string
	// KnownNone leaves SameSite=None out for browsers that are known to take it for something else.
	KnownNone bool
	// Secure marks the cookie of plain HTTP too as one for HTTPS alone.
	Secure bool
	// MaxAge and Expires are numbers of seconds, in decimal; "" for none.
	MaxAge, Expires string
	// ChangeOnFailure gives the client another Endpoint for good when its own has failed.
	ChangeOnFailure bool
}

// Kind implements Filter.
func (*Affinity) Kind() Kind { return KindAffinity }

// Equal implements Filter.
func (a *Affinity) Equal(f Filter) bool { return *a == *f.(*Affinity) }

// AppendText implements Filter.
func (a *Affinity) AppendText(b []byte) []byte {
	b = append(append(b, "by cookie "...), Word(a.Cookie)...)
	for _, part := range []struct {
		on   bool
		text string
	}{
		{a.Persistent, " persistent"}, {a.ChangeOnFailure, " changed on failure"}, {a.Secure, " Secure"},
	} {
		if part.on {
			b = append(b, part.text...)
		}
	}
	for _, part := range []struct{ name, value string }{
		{" Path ", a.Path}, {" Domain ", a.Domain}, {" SameSite ", a.SameSite}, {" Max-Age ", a.MaxAge}, {" Expires ", a.Expires},
	} {
		if part.value != "" {
			b = append(append(b, part.name...), Word(part.value)...)
		}
	}
	if a.KnownNone {
		b = append(b, " where it is understood"...)
	}
	return b
}
