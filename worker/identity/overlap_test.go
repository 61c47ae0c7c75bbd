package identity_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/worker/identity"
)

// TestAttackTokenOfTwoRows: whom a token names must not hang on the order of the
// table.
func TestAttackTokenOfTwoRows(t *testing.T) {
	t.Parallel()
	row := func(mapping, issuer, domain string) identity.Issuer {
		return identity.Issuer{Mapping: mapping, Issuer: issuer, TrustDomain: domain, JWKS: "/k", Audiences: []string{"writ"}, Algorithms: []string{"ES256"}}
	}
	const x, y = "https://x.example", "https://y.example"
	for _, c := range []struct {
		a, b identity.Issuer
		same bool
	}{
		{row("oidc", x, ""), row("oidc", x, ""), true},
		{row("oidc", x, ""), row("oidc", y, ""), false},
		{row("oidc", x, ""), row("spiffe", x, "d"), true},
		{row("oidc", x, ""), row("spiffe", y, "d"), false},
		{row("oidc", x, ""), row("spiffe", "", "d"), false},
		{row("spiffe", "", "d"), row("spiffe", "", "d"), true},
		{row("spiffe", "", "d"), row("spiffe", x, "d"), true},
		{row("spiffe", y, "d"), row("spiffe", x, "d"), false},
		{row("spiffe", x, "d"), row("spiffe", x, "e"), false},
		{row("spiffe", "", "d"), row("spiffe", "", "e"), false},
	} {
		for _, list := range [][]identity.Issuer{{c.a, c.b}, {c.b, c.a}} {
			_, err := identity.NewIssuers(list, identity.IssuersOptions{})
			if (err != nil) != c.same || err != nil && !strings.Contains(err.Error(), "another row is for the same tokens") {
				t.Errorf("%+v: %v", list, err)
			}
		}
	}
}
