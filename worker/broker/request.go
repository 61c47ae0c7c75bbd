package broker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
)

// request is what stands in the head of an HTTP request. It is read by our own few
// lines and not by net/http, which reads more than this: bodies, continuations, names in
// odd forms, a second request on the connection; and says in its own words what it
// does not read.
type request struct {
	method, path, query string
	header              map[string]string // by name in lower case
}

// errGone: nothing was said, or not to the end, and nobody is there any more.
var errGone = errors.New("the client has gone")

var (
	errTooLarge = refuse(431, "too-large", "the request is too large")
	errTooSlow  = refuse(408, "too-slow", "the request did not come in time")
	errNotHTTP  = refuse(400, "not-http", "this is not a plain request of HTTP/1.1")
	errTwice    = refuse(400, "header-twice", "a header is there twice")
	errBody     = refuse(400, "body", "a request for a token has no body")
)

var endOfHead = []byte("\r\n\r\n")

// readHead reads a request up to the empty line.
func readHead(conn net.Conn) ([]byte, error) {
	buf := make([]byte, 0, 1<<10)
	for {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), maxHead+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case bytes.Contains(buf, endOfHead) && len(buf) <= maxHead:
			return buf, nil
		case len(buf) > maxHead:
			return nil, errTooLarge
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errTooSlow
		case errors.Is(err, io.EOF) && len(buf) > 0: // who has closed one half may still read
			return nil, errNotHTTP
		case err != nil:
			return nil, errGone
		}
	}
}

// parseHead reads what readHead has read, in its one form: lines that end in CR LF, printable ASCII,
// each header once.
func parseHead(head []byte) (*request, error) {
	text, rest, whole := strings.Cut(string(head), string(endOfHead))
	switch {
	case !whole:
		return nil, errNotHTTP
	case rest != "":
		return nil, errBody
	}
	lines := strings.Split(text, "\r\n")
	method, line, ok := strings.Cut(lines[0], " ")
	target, version, ok2 := strings.Cut(line, " ")
	if !ok || !ok2 || !printable(text) || method == "" || version != "HTTP/1.1" || !strings.HasPrefix(target, "/") {
		return nil, errNotHTTP
	}
	r := &request{method: method, header: map[string]string{}}
	r.path, r.query, _ = strings.Cut(target, "?")
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return nil, errNotHTTP
		}
		name = strings.ToLower(name)
		if _, twice := r.header[name]; twice {
			return nil, errTwice
		}
		r.header[name] = strings.Trim(value, " \t")
	}
	length, announced := r.header["content-length"]
	_, chunked := r.header["transfer-encoding"]
	if announced && length != "0" || chunked {
		return nil, errBody
	}
	return r, nil
}

// printable says that s is ASCII without control characters, but for tabs and whole
// line ends.
func printable(s string) bool {
	return !strings.ContainsFunc(strings.ReplaceAll(s, "\r\n", ""), func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') })
}

// isToken says that s can be the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
