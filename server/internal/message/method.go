package message

// Method is a request method. Methods are case-sensitive; all that are not listed are MethodOther
// and are read from Request.MethodSpan.
type Method uint8

const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodPatch
	MethodOptions
	MethodConnect
	MethodTrace
)

var methodNames = [...]string{"other", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"}

// String returns the method as it stands on the wire, "other" for MethodOther.
func (m Method) String() string { return methodNames[m] }

// Safe reports whether RFC 9110 section 9.2.1 calls m safe.
func (m Method) Safe() bool {
	return m == MethodGet || m == MethodHead || m == MethodOptions || m == MethodTrace
}

// Idempotent reports whether RFC 9110 section 9.2.2 calls m idempotent. MethodOther is not.
func (m Method) Idempotent() bool { return m.Safe() || m == MethodPut || m == MethodDelete }

// MaxMethod bounds the length of a method; the longest registered one has 17 bytes.
const MaxMethod = 32

// MethodOf names a valid method token.
func MethodOf(b []byte) Method {
	for m := MethodGet; m <= MethodTrace; m++ {
		if string(b) == methodNames[m] {
			return m
		}
	}
	return MethodOther
}
