package policy

import (
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/guid"
	"github.com/runwrit/writ/runbook"
)

// Token says which signed token an identity was taken from. The token itself
// never becomes a part of an input.
type Token struct {
	// SHA256 is the digest of what is signed of the token: to find it again, not to
	// use it.
	SHA256      runbook.Digest `json:"sha256"`
	IssuedAtNS  int64          `json:"issued_at_ns"`
	ExpiresAtNS int64          `json:"expires_at_ns"`
	// AMR are the ways in which the issuer says that the caller signed in.
	AMR []string `json:"amr"`
}

// maxAMR is how many ways to sign in a token may list.
const maxAMR = 20

func (t *Token) problem() string {
	switch {
	case t.SHA256.IsZero() || t.IssuedAtNS < 0 || t.ExpiresAtNS <= 0:
		return "has no digest, or odd times"
	case len(t.AMR) > maxAMR || slices.ContainsFunc(t.AMR, func(s string) bool { return textProblem(s, maxName) != "" }):
		return "has odd amr"
	}
	return ""
}

// assurances are the words that a rule may ask for: how the caller is known.
var assurances = []string{"peercred", "real-uid", "ticket", "token"}

// tokenSchemes are the identities, and the groups, that tokens prove.
var tokenSchemes = []struct {
	scheme              string
	identity, group     string // how they are written
	isIdentity, isGroup func(rest string) bool
}{
	{"entra:", "entra:TENANT:OBJECT, two GUIDs in lower case", "entra:TENANT:GROUP, two GUIDs in lower case", twoGUIDs, twoGUIDs},
	{"github:", "github: and the number of the repository", "github:owner:ID, github:ref:REPOSITORY:REF, github:environment:REPOSITORY:NAME or github:workflow:WORKFLOW_REF", isNumber, githubGroup},
	{"oidc:", "oidc:ISSUER#SUBJECT", "oidc:ISSUER#GROUP", issuerAndName, issuerAndName},
	{"spiffe://", "spiffe://DOMAIN/PATH", "spiffe:// and the trust domain", spiffePath, spiffeDomain},
}

// tokenIdentity says that an identity is one that a token proves, and what is
// wrong with it.
func tokenIdentity(s string) (is bool, problem string) {
	for _, t := range tokenSchemes {
		if rest, ok := strings.CutPrefix(s, t.scheme); ok {
			if len(s) <= maxText && t.isIdentity(rest) {
				return true, ""
			}
			return true, "want " + t.identity
		}
	}
	return false, ""
}

func tokenGroupProblem(s string) string {
	for _, t := range tokenSchemes {
		if rest, ok := strings.CutPrefix(s, t.scheme); ok {
			if len(s) <= maxText && t.isGroup(rest) {
				return ""
			}
			return "want " + t.group
		}
	}
	return "want a group that begins with entra:, github:, oidc: or spiffe://"
}

// workerIdentityProblem: managed identities are Entra's.
func workerIdentityProblem(s string) string {
	if rest, ok := strings.CutPrefix(s, "entra:"); ok && twoGUIDs(rest) {
		return ""
	}
	return "want entra:TENANT:OBJECT, two GUIDs in lower case"
}

// Signs says that an identity of grants.yaml is one that signs, of a key, a certificate
// or a signer of Sigstore bundles: what the operating system or an issuer of tokens calls
// somebody has signed nothing.
func Signs(id string) bool {
	is, _ := tokenIdentity(id)
	return !is && !strings.HasPrefix(id, "os:")
}

func twoGUIDs(s string) bool {
	tenant, object, ok := strings.Cut(s, ":")
	return ok && guid.Valid(tenant) && guid.Valid(object)
}

func isNumber(s string) bool {
	return s != "" && len(s) < maxName && strings.Trim(s, "0123456789") == "" && s[0] != '0'
}

func githubGroup(s string) bool {
	kind, rest, _ := strings.Cut(s, ":")
	number, name, _ := strings.Cut(rest, ":")
	switch kind {
	case "owner":
		return isNumber(rest)
	case "ref", "environment":
		return isNumber(number) && isPrintable(name)
	default:
		return kind == "workflow" && isPrintable(rest)
	}
}

// isPrintable: no blanks, and no two names look alike.
func isPrintable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func issuerAndName(s string) bool {
	issuer, name, ok := strings.Cut(s, "#")
	host, ok2 := strings.CutPrefix(issuer, "https://")
	return ok && ok2 && isPrintable(host) && !strings.Contains(host, "?") && isPrintable(name)
}

func spiffePath(s string) bool {
	domain, path, ok := strings.Cut(s, "/")
	return ok && spiffeDomain(domain) && !slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != ""
	})
}

func spiffeDomain(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
