//go:build !nosigstore

package format

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/trustlist"
)

// Limits of a list of identities.
const (
	maxIdentities      = 10_000
	maxIdentityPattern = 1 << 10
)

// sigstoreIdentity is an entry of the room sigstore-identities: whom a store trusts
// of those to whom its trusted roots gave certificates.
type sigstoreIdentity struct {
	name        string
	issuer, san identityMatch
}

// identityMatch holds for one text, or for those that a pattern matches whole.
type identityMatch struct {
	exact   string
	pattern *regexp.Regexp // nil: exact
}

func (m identityMatch) fits(s string) bool {
	if m.pattern != nil {
		return m.pattern.MatchString(s)
	}
	return m.exact != "" && m.exact == s
}

func (i sigstoreIdentity) fits(issuer, san string) bool {
	return i.issuer.fits(issuer) && i.san.fits(san)
}

const kindSigstoreIdentity = "sigstore-identity"

// identityName is the form of the names in grants.yaml.
var identityName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// parseIdentities reads a file of the room sigstore-identities.
func parseIdentities(data []byte) ([]sigstoreIdentity, error) {
	entries, err := trustlist.Parse(data)
	switch {
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, errors.New("no identities in it")
	case len(entries) > maxIdentities:
		return nil, fmt.Errorf("more than %d identities", maxIdentities)
	}
	var list []sigstoreIdentity
	for _, e := range entries {
		i, err := newIdentity(e)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

func newIdentity(e trustlist.Entry) (i sigstoreIdentity, err error) {
	if e.Kind != kindSigstoreIdentity {
		return i, e.Errorf("unknown word %q: want %s", e.Kind, kindSigstoreIdentity)
	}
	if i.name = e.Value; !identityName.MatchString(i.name) {
		return i, e.Errorf("%q is no name: want at most 64 ASCII letters, digits and \". _ @ -\", a letter or digit first", e.Value)
	}
	if i.issuer, err = newMatch(e, "issuer"); err != nil {
		return i, err
	}
	if i.san, err = newMatch(e, "san"); err != nil {
		return i, err
	}
	if i.issuer.fits("https://nobody.invalid/writ") {
		return i, e.Errorf("issuer-regex fits any issuer: anybody can run one")
	}
	return i, e.Only("issuer", "issuer-regex", "san", "san-regex")
}

// newMatch reads the field of that name, or the pattern that stands for it.
func newMatch(e trustlist.Entry, field string) (identityMatch, error) {
	exact, isExact := e.Fields[field]
	pattern, isPattern := e.Fields[field+"-regex"]
	switch {
	case isExact == isPattern:
		return identityMatch{}, e.Errorf("an identity needs either %s or %s-regex", field, field)
	case isExact && !nameable(exact):
		return identityMatch{}, e.Errorf("%s is longer than %d bytes, or holds %q or a character that cannot be seen", field, maxSigstoreName, "|")
	case isExact:
		return identityMatch{exact: exact}, nil
	case len(pattern) > maxIdentityPattern:
		return identityMatch{}, e.Errorf("%s-regex is longer than %d bytes", field, maxIdentityPattern)
	case !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") || strings.HasSuffix(pattern, `\$`):
		return identityMatch{}, e.Errorf("%s-regex %q is not anchored: want ^...$, or it would fit in the middle of somebody else's name", field, pattern)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return identityMatch{}, e.Errorf("%s-regex %q: %v", field, pattern, err)
	}
	// ^a|b$ is anchored on one side of each only: what counts is a match of the whole.
	whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return identityMatch{}, e.Errorf("%s-regex %q: %v", field, pattern, err)
	}
	return identityMatch{pattern: whole}, nil
}
