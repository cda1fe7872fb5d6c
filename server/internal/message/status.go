package message

import "strconv"

// StatusText returns the reason phrase that the IANA registry has for code, "" for none.
func StatusText(code int) string {
	if code < 0 || code >= len(statusTexts) {
		return ""
	}
	return statusTexts[code]
}

// AppendRefusal appends the text of an answer of the gateway's own, "404 not found: reason" and a line's end.
// reason may be empty.
func AppendRefusal(dst []byte, status int, reason string) []byte {
	dst = append(strconv.AppendUint(dst, uint64(status), 10), ' ')
	text := StatusText(status)
	for i := range len(text) {
		dst = append(dst, Lower(text[i]))
	}
	if reason != "" {
		dst = append(append(dst, ": "...), reason...)
	}
	return append(dst, '\n')
}

// RefusalLen returns the number of bytes that AppendRefusal appends.
func RefusalLen(status int, reason string) int {
	n := len("404 ") + len(StatusText(status)) + len("\n")
	if reason != "" {
		n += len(": ") + len(reason)
	}
	return n
}

var statusTexts = [600]string{
	100: "Continue",
	101: "Switching Protocols",
	102: "Processing",
	103: "Early Hints",
	200: "OK",
	201: "Created",
	202: "Accepted",
	203: "Non-Authoritative Information",
	204: "No Content",
	205: "Reset Content",
	206: "Partial Content",
	207: "Multi-Status",
	208: "Already Reported",
	226: "IM Used",
	300: "Multiple Choices",
	301: "Moved Permanently",
	302: "Found",
	303: "See Other",
	304: "Not Modified",
	305: "Use Proxy",
	307: "Temporary Redirect",
	308: "Permanent Redirect",
	400: "Bad Request",
	401: "Unauthorized",
	402: "Payment Required",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	406: "Not Acceptable",
	407: "Proxy Authentication Required",
	408: "Request Timeout",
	409: "Conflict",
	410: "Gone",
	411: "Length Required",
	412: "Precondition Failed",
	413: "Content Too Large",
	414: "URI Too Long",
	415: "Unsupported Media Type",
	416: "Range Not Satisfiable",
	417: "Expectation Failed",
	418: "I'm a teapot",
	421: "Misdirected Request",
	422: "Unprocessable Content",
	423: "Locked",
	424: "Failed Dependency",
	425: "Too Early",
	426: "Upgrade Required",
	428: "Precondition Required",
	429: "Too Many Requests",
	431: "Request Header Fields Too Large",
	451: "Unavailable For Legal Reasons",
	500: "Internal Server Error",
	501: "Not Implemented",
	502: "Bad Gateway",
	503: "Service Unavailable",
	504: "Gateway Timeout",
	505: "HTTP Version Not Supported",
	506: "Variant Also Negotiates",
	507: "Insufficient Storage",
	508: "Loop Detected",
	511: "Network Authentication Required",
}

// statusLines are whole status lines, so that the usual ones are one copy.
var statusLines = buildStatusLines()

func buildStatusLines() (lines [len(statusTexts)]string) {
	for code, text := range statusTexts {
		if text != "" {
			lines[code] = "HTTP/1.1 " + strconv.Itoa(code) + " " + text + "\r\n"
		}
	}
	return lines
}

// AppendStatusLine appends an HTTP/1.1 status line with the registered reason phrase of code, an
// empty one where there is none. code has three digits.
func AppendStatusLine(dst []byte, code int) []byte {
	if code >= 0 && code < len(statusLines) && statusLines[code] != "" {
		return append(dst, statusLines[code]...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendUint(dst, uint64(code), 10)
	return append(dst, ' ', '\r', '\n')
}
