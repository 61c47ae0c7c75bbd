package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// ticketIssuers reads the section tickets: whose tickets count.
func (t *tree) ticketIssuers(n *yaml.Node) []string {
	f := t.Fields(n, "tickets", "issuers")
	v := t.Need(f, n, "tickets", "issuers")
	if v == nil {
		return nil
	}
	return t.List(v, "tickets.issuers", TicketIssuerProblem)
}

// TicketIssuerProblem says why s is not the identity of a key, as grants.yaml has
// them; "" if it is one.
func TicketIssuerProblem(s string) string {
	scheme, digits, _ := strings.Cut(s, ":")
	size, alphabet := len(digits), "0123456789abcdef"
	switch scheme {
	case "openpgp":
		alphabet = "0123456789ABCDEF"
		if size == 40 {
			size = 64
		}
	case "x509-sha256", "x509-spki":
	default:
		size = 0
	}
	if size != 64 || strings.Trim(digits, alphabet) != "" {
		return "want openpgp: and the whole fingerprint in capitals, or x509-sha256: or x509-spki: and the digest in small letters"
	}
	return ""
}
