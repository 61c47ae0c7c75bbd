package verifier

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/runwrit/writ/runbook"
)

// Claims are what a signature says of the runbook that it was made for. They are
// the word of whoever made the signature: of a signature that is not valid they
// say nothing at all. A field is empty where the signature does not say.
type Claims struct {
	// Name is the file name of the payload, without ".asc".
	Name string `json:"name,omitempty"`
	// Kind is the word of runbook.Kind.
	Kind string `json:"kind,omitempty"`
	// Version is of the form that ParseVersion reads.
	Version string `json:"version,omitempty"`
	// Namespace is a name that the signer chose, such as "prod".
	Namespace string `json:"namespace,omitempty"`
}

var (
	kindForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	// namespaceForm is the form of the names in grants.yaml.
	namespaceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)
)

// maxClaim is the length of a kind and of a namespace.
const maxClaim = 64

// Problem says which field has not the form that it should have; "" for none.
// Fields that are empty say nothing.
func (c *Claims) Problem() string {
	if c.Name != "" {
		if len(c.Name) > runbook.MaxName || !utf8.ValidString(c.Name) {
			return fmt.Sprintf("the name has more than %d bytes, or is not UTF-8", runbook.MaxName)
		}
		if _, err := runbook.Parse(c.Name, nil); err != nil {
			return "the name is not a plain file name"
		}
	}
	if c.Kind != "" && (len(c.Kind) > maxClaim || !kindForm.MatchString(c.Kind)) {
		return "the kind is not one lower-case word"
	}
	if c.Version != "" {
		if _, err := ParseVersion(c.Version); err != nil {
			return err.Error()
		}
	}
	if c.Namespace != "" && (len(c.Namespace) > maxClaim || !namespaceForm.MatchString(c.Namespace)) {
		return `the namespace is not a name of at most 64 ASCII letters, digits and ". _ @ -" that begins with a letter or digit`
	}
	return ""
}

// CodeContradicts is the code of the finding that a valid signature was made for
// a runbook of another name or kind.
const CodeContradicts = "claim-contradicts"

// contradiction holds what a signature claims against the file. Only valid ones
// count: anybody may claim anything. It is a finding and no verdict, because the
// content is what was signed; policy refuses it.
func (r *Report) contradiction(s Signature) (Finding, bool) {
	name, kind := runbook.PayloadName(r.Name), r.Kind.String()
	c := s.Claims
	if s.Verdict != Valid || c == nil || (c.Name == "" || c.Name == name) && (c.Kind == "" || c.Kind == kind) {
		return Finding{}, false
	}
	claimed := ""
	if c.Name != "" {
		claimed += fmt.Sprintf(" the name %q", c.Name)
	}
	if c.Kind != "" {
		if claimed != "" {
			claimed += " and"
		}
		claimed += fmt.Sprintf(" the kind %s", c.Kind)
	}
	return Finding{
		Code:   CodeContradicts,
		Detail: fmt.Sprintf("the signature by %s is for a runbook of%s; this one is %q, of the kind %s", strings.Join(s.Signer.IDs, ", "), claimed, name, kind),
		Fix:    "give the file the name that was signed, or have it signed as what it is now",
	}, true
}

// Limits of a version.
const (
	maxVersionParts  = 4
	maxVersionDigits = 9
)

// Version is the version of a runbook: numbers, the first the most important.
// Those that are not written are 0, so that 1.4 and 1.4.0 are equal.
type Version [maxVersionParts]uint32

// ParseVersion reads 1 to 4 numbers of at most 9 digits, without zeros in front,
// with dots between: "7", "1.4", "2026.11.22.1".
func ParseVersion(s string) (Version, error) {
	var v Version
	if len(s) > maxVersionParts*(maxVersionDigits+1) {
		return v, errVersion
	}
	parts := strings.Split(s, ".")
	if len(parts) > maxVersionParts {
		return v, errVersion
	}
	for i, part := range parts {
		if part == "" || len(part) > maxVersionDigits || part[0] == '0' && part != "0" {
			return v, errVersion
		}
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return v, errVersion
			}
			v[i] = v[i]*10 + uint32(c-'0')
		}
	}
	return v, nil
}

var errVersion = errors.New("the version is not 1 to 4 numbers of at most 9 digits, without zeros in front, with dots between")
