package identity

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
)

// MaxTokenSize is the largest token in bytes.
const MaxTokenSize = 16 << 10

// compact is a token whose form is good. Nothing in it is believed yet.
type compact struct {
	raw       []byte
	algorithm string
	keyID     string
	payload   []byte
	claims    map[string]any
	digest    runbook.Digest // of what is signed
}

// forbidden are headers by which a token would bring its own key, or change what
// its other parts mean.
var forbidden = []string{"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"}

// types are what the header typ may say, in lower case.
var types = []string{"jwt", "at+jwt", "application/at+jwt", "jose"}

// readCompact checks the form of a token: three segments of canonical base64url,
// two JSON objects without a name twice, and a header that means nothing else
// than how it is signed.
func readCompact(raw []byte) (*compact, *TokenError) {
	if len(raw) > MaxTokenSize {
		return nil, refuse(codeSize, "has more than %d bytes", MaxTokenSize)
	}
	segments := bytes.Split(raw, []byte{'.'})
	if len(segments) != 3 {
		return nil, refuse(codeFormat, "has %d segments, not three", min(len(segments), 100))
	}
	c := &compact{raw: raw, digest: runbook.DigestOf(raw[:len(raw)-len(segments[2])-1])}
	header, bad := decodeObject("header", segments[0])
	if bad != nil {
		return nil, bad
	}
	if bad := c.readHeader(header); bad != nil {
		return nil, bad
	}
	if c.claims, bad = decodeObject("payload", segments[1]); bad != nil {
		return nil, bad
	}
	var ok bool
	if c.payload, ok = decodeSegment(segments[1]); !ok {
		return nil, refuse(codeFormat, "has a payload that is not canonical base64url")
	}
	if _, ok := decodeSegment(segments[2]); !ok {
		return nil, refuse(codeFormat, "has a signature that is not canonical base64url")
	}
	return c, nil
}

func (c *compact) readHeader(header map[string]any) *TokenError {
	for _, name := range forbidden {
		if _, there := header[name]; there {
			return refuse(codeHeader, "has %q in its header", name)
		}
	}
	if v, there := header["typ"]; there {
		if s, ok := v.(string); !ok || !slices.Contains(types, strings.ToLower(s)) {
			return refuse(codeHeader, "is of another type than JWT")
		}
	}
	if c.algorithm, _ = text(header, "alg"); !slices.Contains(algorithms, c.algorithm) {
		return refuse(codeAlgorithm, "has the algorithm %s, which never counts", quoted(c.algorithm))
	}
	var ok bool
	if c.keyID, ok = text(header, "kid"); !ok || len(c.keyID) > maxKeyID {
		return refuse(codeKey, "does not name its key")
	}
	return nil
}

func decodeObject(what string, segment []byte) (map[string]any, *TokenError) {
	data, ok := decodeSegment(segment)
	if !ok {
		return nil, refuse(codeFormat, "has a %s that is not canonical base64url", what)
	}
	fields, err := object(data)
	if err != nil {
		return nil, refuse(codeFormat, "has a %s that %v", what, err)
	}
	return fields, nil
}

// decodeSegment decodes base64url of which there is one way to write it. The
// standard library passes over line ends.
func decodeSegment(segment []byte) ([]byte, bool) {
	if len(segment) == 0 || bytes.ContainsAny(segment, "\r\n") {
		return nil, false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(string(segment))
	return data, err == nil
}
