package policy

import (
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Identities of those who sign Sigstore bundles, beside that of a key
// (fingerprintForms): who has signed, exactly, and a named entry of the trust store,
// where regular expressions stand.
const (
	sigstoreScheme      = "sigstore:"
	sigstoreNamedScheme = "sigstore-identity:"
)

// uriForm holds for a URI, without a look at what its scheme makes of the rest.
var uriForm = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*:.`)

// sigstoreIdentity says that an identity is that of a signer of bundles, and what is
// wrong with it.
func sigstoreIdentity(s string) (is bool, problem string) {
	if name, ok := strings.CutPrefix(s, sigstoreNamedScheme); ok {
		if nameForm.holds(name) {
			return true, ""
		}
		return true, "want sigstore-identity: and the name of an entry of sigstore-identities in the trust store"
	}
	rest, ok := strings.CutPrefix(s, sigstoreScheme)
	if !ok {
		return false, ""
	}
	issuer, san, _ := strings.Cut(rest, "|")
	switch {
	case len(issuer) > maxSigstore || len(san) > maxSigstore || !isIssuer(issuer) || !isPrintable(san) || strings.Contains(san, "|") || !isAddress(san) && !uriForm.MatchString(san):
		return true, "want sigstore:ISSUER|SAN, both as the certificate has them: an issuer that begins with https://, and a URI or an e-mail address"
	case strings.Contains(san, "*"):
		return true, "an asterisk stands for itself here: a pattern is an entry of sigstore-identities in the trust store, named as sigstore-identity:NAME"
	}
	return true, ""
}

// isIssuer holds for the address of an issuer of OpenID Connect: it has no query and
// no fragment.
func isIssuer(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	return ok && isPrintable(host) && !strings.HasPrefix(host, "/") && !strings.ContainsAny(host, "?#|")
}

// isAddress holds for an e-mail address, as far as it must be one to be no URI.
func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(s, ":/") && !strings.Contains(domain, "@")
}
