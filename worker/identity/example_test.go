package identity_test

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker/identity"
)

// An agent that takes requests over a local socket believes the kernel for who
// asks, and a token for whom the request is made.
func Example() {
	issuers, err := identity.NewIssuers([]identity.Issuer{{
		Mapping: identity.MappingEntra, Issuer: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
		JWKS: "/etc/writ/entra.jwks.json", Audiences: []string{"66666666-7777-8888-9999-000000000000"}, Algorithms: []string{"RS256"},
	}}, identity.IssuersOptions{Guarded: true})
	if err != nil {
		return
	}
	caller := func(ctx context.Context, conn *net.UnixConn, token []byte) (policy.Caller, error) {
		if token == nil {
			return identity.PeerCaller(conn)
		}
		c, err := issuers.Verify(ctx, token, time.Now())
		var refused *identity.TokenError
		if errors.As(err, &refused) { // the answer is no, and refused.Code says why
			return policy.Caller{}, refused
		}
		return c, err // a *KeysError: there is no answer
	}
	_ = caller // its answer goes to policy.Request.Caller
}
