package server

import "strings"

// Half of the plans send trailers with fields that must not be among them, or that only the gateway may send: the message
// arrives whole, without those fields. Some Endpoints send many interim responses before they answer.

// forgedTrailers are names and values, of requests and of responses.
var (
	forgedRequest = []string{"x-forwarded-for", "6.6.6.6", "ssl_client_verify", "SUCCESS", "ssl-client-verify", "SUCCESS", "x_real_ip", "6.6.6.6",
		"host", "forged", "content-length", "1", "x-request-id", "forged", "proxy", "forged", "expires", "0"}
	forgedResponse = []string{"expires", "0", "content-length", "7", "set-cookie", "forged=1", "proxy", "forged", "date", "never"}
)

// trailers are the names and values of a plan's trailer section: its name, and forged ones around it.
func (p *plan) trailers(forged []string) []string {
	sum := []string{"sum", p.name()}
	if p.seed%2 == 0 {
		return sum
	}
	at := int(p.seed/2) % (len(forged)/2 + 1) * 2
	all := append([]string(nil), forged[:at]...)
	return append(append(all, sum...), forged[at:]...)
}

// trailerLines is the same for HTTP/1.1.
func (p *plan) trailerLines(forged []string) string {
	var b strings.Builder
	fields := p.trailers(forged)
	for i := 0; i < len(fields); i += 2 {
		b.WriteString(fields[i] + ": " + fields[i+1] + "\r\n")
	}
	return b.String()
}

// soleTrailer is the name in a trailer section, "forged" where anything else is there.
func soleTrailer(section map[string][]string) string {
	for name, values := range section {
		if !strings.EqualFold(name, "sum") || len(values) != 1 || len(section) != 1 {
			return "forged"
		}
		return values[0]
	}
	return ""
}

// interims is how many responses come before the final one.
func (p *plan) interims() int {
	if p.interim > 0 && p.seed%8 == 0 && p.bulk == 0 {
		return 20 * p.interim
	}
	return p.interim
}
