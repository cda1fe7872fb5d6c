package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var (
	// errOtherMessage means that a datagram is not the answer to our query; the answer may follow.
	errOtherMessage = errors.New("message answers another query")
	// errTruncated means that the answer does not fit a datagram: ask again over TCP.
	errTruncated = errors.New("answer is truncated")
	// errAliasLoop means that CNAMEs form a loop, or a chain of more than maxAliases.
	errAliasLoop = errors.New("too many aliases")
)

const (
	// maxAliases bounds a chain of CNAMEs.
	maxAliases = 16
	// defaultNegativeTTL is how long "no such name" holds where the answer has no TTL for it.
	defaultNegativeTTL = 5 * time.Second
)

// answer is the content of one message about one name and type. One of three: addresses; neither
// addresses nor alias, which is an authoritative "there are none"; or an alias that this message
// does not follow to its end.
type answer struct {
	addresses []netip.Addr
	alias     string
	ttl       time.Duration // the least on the way, as the message gives it
}

// packQuery returns the message that asks for name, which is absolute, in one datagram of at most
// maxDatagram bytes.
func packQuery(id uint16, name string, kind dnsmessage.Type) ([]byte, dnsmessage.Question, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, dnsmessage.Question{}, fmt.Errorf("pack name %q: %w", name, err)
	}
	question := dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}
	var edns dnsmessage.ResourceHeader
	if err := edns.SetEDNS0(maxDatagram, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, question, fmt.Errorf("pack query options: %w", err)
	}
	query := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions:   []dnsmessage.Question{question},
		Additionals: []dnsmessage.Resource{{Header: edns, Body: &dnsmessage.OPTResource{}}},
	}
	packed, err := query.Pack()
	if err != nil {
		return nil, question, fmt.Errorf("pack query for %q: %w", name, err)
	}
	return packed, question, nil
}

// parseAnswer reads the answer to a question out of a message.
func parseAnswer(message []byte, id uint16, question dnsmessage.Question) (answer, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || header.ID != id || !header.Response {
		return answer{}, errOtherMessage
	}
	asked, err := p.AllQuestions()
	if err != nil || len(asked) != 1 || asked[0].Type != question.Type || asked[0].Class != question.Class ||
		!strings.EqualFold(asked[0].Name.String(), question.Name.String()) {
		return answer{}, errOtherMessage
	}
	if header.Truncated {
		return answer{}, errTruncated
	}
	if header.RCode != dnsmessage.RCodeSuccess && header.RCode != dnsmessage.RCodeNameError {
		return answer{}, fmt.Errorf("server answers %v", header.RCode)
	}
	records, err := p.AllAnswers()
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	a, err := follow(records, question.Name.String())
	if err != nil || len(a.addresses) > 0 {
		return a, err
	}
	negative, known := negativeTTL(&p)
	if a.alias != "" && !known && header.RCode == dnsmessage.RCodeSuccess {
		return a, nil
	}
	if !known && !header.Authoritative && !header.RecursionAvailable {
		// The server is neither authoritative nor recursive: an empty answer says nothing about the name.
		return answer{}, errors.New("server refers elsewhere")
	}
	return answer{ttl: negative}, nil
}

// follow walks the records from name over its aliases to its addresses.
func follow(records []dnsmessage.Resource, name string) (answer, error) {
	a := answer{ttl: maxTTL}
	for range maxAliases {
		next := ""
		for i := range records {
			r := &records[i]
			if r.Header.Class != dnsmessage.ClassINET || !strings.EqualFold(r.Header.Name.String(), name) {
				continue
			}
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				a.addresses = append(a.addresses, netip.AddrFrom4(body.A))
			case *dnsmessage.AAAAResource:
				a.addresses = append(a.addresses, netip.AddrFrom16(body.AAAA).Unmap())
			case *dnsmessage.CNAMEResource:
				next = body.CNAME.String()
			default:
				continue
			}
			a.ttl = min(a.ttl, seconds(r.Header.TTL))
		}
		if len(a.addresses) > 0 || next == "" {
			return a, nil
		}
		a.alias, name = next, next
	}
	return answer{}, errAliasLoop
}

// negativeTTL returns how long the absence of records holds (RFC 2308, 5), and whether the message
// has a TTL for it.
func negativeTTL(p *dnsmessage.Parser) (time.Duration, bool) {
	authorities, err := p.AllAuthorities()
	if err != nil {
		return defaultNegativeTTL, false
	}
	for i := range authorities {
		if soa, ok := authorities[i].Body.(*dnsmessage.SOAResource); ok {
			return seconds(min(authorities[i].Header.TTL, soa.MinTTL)), true
		}
	}
	return defaultNegativeTTL, false
}

// seconds turns a TTL into a duration. One with the highest bit set is zero (RFC 2181, 8).
func seconds(ttl uint32) time.Duration {
	if ttl>>31 != 0 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}
