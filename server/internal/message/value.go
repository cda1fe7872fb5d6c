package message

import "bytes"

// ParseLength parses 1*DIGIT into 63 bits: a Content-Length, or a port.
func ParseLength(v []byte) (n int64, ok bool) {
	// 19 digits hold every int64, and 18 nines cannot overflow before the last digit is added.
	if len(v) == 0 || len(v) > 19 {
		return 0, false
	}
	for _, c := range v {
		if Class[c]&ClassDigit == 0 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, n >= 0
}

// NextElement takes the first non-empty element off a comma-separated list and trims it. element is
// nil when there is none.
func NextElement(list []byte) (element, rest []byte) {
	for len(list) > 0 {
		i := bytes.IndexByte(list, ',')
		element, rest = list, nil
		if i >= 0 {
			element, rest = list[:i], list[i+1:]
		}
		for len(element) > 0 && (element[0] == ' ' || element[0] == '\t') {
			element = element[1:]
		}
		for n := len(element); n > 0 && (element[n-1] == ' ' || element[n-1] == '\t'); n-- {
			element = element[:n-1]
		}
		if len(element) > 0 {
			return element, rest
		}
		list = rest
	}
	return nil, nil
}
