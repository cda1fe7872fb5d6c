package policy

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// RetryOn is a set of the ways in which an attempt can fail.
type RetryOn uint16

// The members of a RetryOn. RetryOff is alone in its set.
const (
	RetryOff           RetryOn = 1 << iota
	RetryError                 // no connection, or its loss before a byte of the response
	RetryTimeout               // no connection, or no response head, in time
	RetryInvalidHeader         // a response that is none
	Retry403
	Retry404
	Retry429
	Retry500
	Retry502
	Retry503
	Retry504
	RetryNonIdempotent // requests too that may do twice what they ask for
)

// RetryStatuses has every member that is a status.
const RetryStatuses = Retry403 | Retry404 | Retry429 | Retry500 | Retry502 | Retry503 | Retry504

// retryWords are the words of nginx for the members, from the lowest on.
var retryWords = [...]string{
	"off", "error", "timeout", "invalid_header", "http_403", "http_404", "http_429", "http_500", "http_502", "http_503", "http_504", "non_idempotent",
}

// RetryStatus returns the member for a status; 0: none.
func RetryStatus(status int) RetryOn {
	switch status {
	case 403:
		return Retry403
	case 404:
		return Retry404
	case 429:
		return Retry429
	case 500:
		return Retry500
	case 502:
		return Retry502
	case 503:
		return Retry503
	case 504:
		return Retry504
	}
	return 0
}

// ParseRetryOn reads words with spaces between them. off makes the others void.
func ParseRetryOn(s string) (on RetryOn, err error) {
	for word := range strings.FieldsSeq(s) {
		known := false
		for i, w := range retryWords {
			if w == word {
				on, known = on|1<<i, true
			}
		}
		if !known {
			return 0, errors.New(Word(word[:min(len(word), 20)]) + " is not one of " + strings.Join(retryWords[:], ", "))
		}
	}
	switch {
	case on == 0:
		return 0, errors.New("want one or more of " + strings.Join(retryWords[:], ", "))
	case on&RetryOff != 0:
		return RetryOff, nil
	}
	return on, nil
}

// String returns the words.
func (on RetryOn) String() string {
	var list []string
	for i, w := range retryWords {
		if on&(1<<i) != 0 {
			list = append(list, w)
		}
	}
	return strings.Join(list, " ")
}

// Retry says when a request is sent again, to another Endpoint where there is one (nginx.ingress.kubernetes.io/proxy-next-upstream*).
// It is where the request was not sent yet, or may be sent twice and is held whole. The zero value of each field stands for
// the gateway's own.
type Retry struct {
	On RetryOn
	// Tries bounds the attempts, the first included; negative: as many as the gateway makes at most.
	Tries int32
	// Timeout bounds the time from the first attempt on in which another begins, nanoseconds.
	Timeout int64
}

// Most is the most attempts of any request.
const Most = 10

// String is r for people.
func (r Retry) String() string {
	b := []byte("retry")
	if r.On != 0 {
		b = append(append(b, " on "...), r.On.String()...)
	}
	switch {
	case r.Tries < 0:
		b = strconv.AppendInt(append(b, " at most "...), Most, 10)
		b = append(b, " attempts"...)
	case r.Tries > 0:
		b = strconv.AppendInt(append(b, " at most "...), int64(r.Tries), 10)
		b = append(b, " attempts"...)
	}
	if r.Timeout != 0 {
		b = append(append(b, " within "...), time.Duration(r.Timeout).String()...)
	}
	return string(b)
}
