package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/runwrit/writ/policy"
)

// AssuranceToken says that a signed token proves the identity.
const AssuranceToken = "token"

// IssuersOptions say how keys are found.
type IssuersOptions struct {
	// Guarded refuses key files, and a cache, that anyone but root and the current
	// user may write, as a gate must.
	Guarded bool
	// Cache is the folder in which fetched keys are kept; "" keeps them in memory
	// only.
	Cache string
	// Transport fetches keys; by default over the network, without a proxy.
	Transport http.RoundTripper
}

// Issuers verifies tokens by a table of issuers. It is safe for use by several
// goroutines. The zero value refuses every token.
type Issuers struct{ rows []*row }

// row is an issuer with its keys.
type row struct {
	Issuer
	keys keySource
}

// NewIssuers makes a table. It fails if an issuer has a Problem, or if a token
// could be of two of them.
func NewIssuers(list []Issuer, o IssuersOptions) (*Issuers, error) {
	if len(list) == 0 {
		return nil, errors.New("no issuer: no token could ever count")
	}
	t := &Issuers{}
	for n, i := range list {
		if field, bad := i.Problem(); bad != "" {
			return nil, fmt.Errorf("issuers[%d].%s: %s", n, field, bad)
		}
		for _, other := range t.rows {
			if i.overlaps(&other.Issuer) {
				return nil, fmt.Errorf("issuers[%d]: another row is for the same tokens", n)
			}
		}
		if i.MaxAge == 0 {
			i.MaxAge = MaxLifetime
		}
		if i.MaxLifetime == 0 {
			i.MaxLifetime = MaxLifetime
		}
		t.rows = append(t.rows, &row{i, newKeySource(&i, o)})
	}
	return t, nil
}

// Verify says whom a token names. The error is a *TokenError if the token proves
// nothing, and a *KeysError if the keys of its issuer cannot be had. No error
// holds any part of the token but what its issuer signed.
func (t *Issuers) Verify(ctx context.Context, raw []byte, now time.Time) (policy.Caller, error) {
	c, bad := readCompact(raw)
	if bad != nil {
		return policy.Caller{}, bad
	}
	r := t.find(c.claims)
	if r == nil {
		iss, _ := text(c.claims, "iss")
		return policy.Caller{}, refuse(codeIssuer, "is of the issuer %s, which is not in the table", quoted(iss))
	}
	if !slices.Contains(r.Algorithms, c.algorithm) {
		return policy.Caller{}, refuse(codeAlgorithm, "has the algorithm %s, which does not count for its issuer", quoted(c.algorithm))
	}
	keys, err := r.keys.find(ctx, c.keyID, now)
	if err != nil {
		return policy.Caller{}, &KeysError{r.name(), err}
	}
	if bad := c.verify(keys); bad != nil {
		return policy.Caller{}, bad
	}
	if bad := r.checkAudience(c.claims); bad != nil {
		return policy.Caller{}, bad
	}
	token, bad := r.checkTimes(c.claims, now)
	if bad != nil {
		return policy.Caller{}, bad
	}
	token.SHA256 = c.digest
	caller, bad := r.caller(c.claims)
	if bad != nil {
		return policy.Caller{}, bad
	}
	caller.Issuer, caller.Assurance, caller.Token = r.name(), AssuranceToken, token
	return caller, nil
}

// name is what the row is called in results and messages.
func (r *row) name() string {
	if r.Issuer.Issuer == "" {
		return "spiffe://" + r.TrustDomain
	}
	return r.Issuer.Issuer
}

// find returns the row for the tokens of an issuer, nil for none. A SPIFFE token
// need not say its issuer: its subject is in a trust domain.
func (t *Issuers) find(claims map[string]any) *row {
	if t == nil {
		return nil
	}
	iss, _ := text(claims, "iss")
	sub, _ := text(claims, "sub")
	for _, r := range t.rows {
		named := r.Issuer.Issuer != "" && r.Issuer.Issuer == iss
		inDomain := strings.HasPrefix(sub, "spiffe://"+r.TrustDomain+"/")
		switch {
		case r.Mapping != MappingSPIFFE && named,
			r.Mapping == MappingSPIFFE && inDomain && (named || r.Issuer.Issuer == ""):
			return r
		}
	}
	return nil
}

// verify checks the signature with the one key that the token names. What the
// library then says was signed must be what was read here.
func (c *compact) verify(keys []publicKey) *TokenError {
	switch {
	case len(keys) == 0:
		return refuse(codeKey, "names a key that its issuer does not have")
	case len(keys) > 1:
		return refuse(codeKey, "names a key that its issuer has several of")
	case !keys[0].fits(c.algorithm):
		return refuse(codeKey, "names a key that is not for its algorithm")
	}
	algorithm, ok := jwa.LookupSignatureAlgorithm(c.algorithm)
	if !ok {
		return refuse(codeAlgorithm, "has an algorithm that is not known")
	}
	signed, err := jws.VerifyCompactFast(keys[0].key, c.raw, algorithm)
	if err != nil || !bytes.Equal(signed, c.payload) {
		return refuse(codeSignature, "has a signature that is not its issuer's")
	}
	return nil
}

// checkAudience wants every audience of the token to be the gate: who else it is
// for could use it here.
func (r *row) checkAudience(claims map[string]any) *TokenError {
	list, ok := listOf(claims, "aud")
	if s, one := claims["aud"].(string); one {
		list, ok = []string{s}, true
	}
	if !ok || len(list) == 0 {
		return refuse(codeAudience, "has no audience")
	}
	for _, a := range list {
		if !slices.Contains(r.Audiences, a) {
			return refuse(codeAudience, "is for %s, not only for this gate", quoted(a))
		}
	}
	return nil
}

// checkTimes wants the token to be good now, and not for too long.
func (r *row) checkTimes(claims map[string]any, now time.Time) (*policy.Token, *TokenError) {
	exp, okExp := seconds(claims["exp"])
	iat, okIat := seconds(claims["iat"])
	nbf, okNbf := seconds(claims["nbf"])
	_, hasNbf := claims["nbf"]
	if !okExp || !okIat || hasNbf && !okNbf || exp <= iat {
		return nil, refuse(codeClaims, "does not say properly when it was issued and when it expires")
	}
	expires, issued := time.Unix(exp, 0), time.Unix(iat, 0)
	switch {
	case !now.Before(expires.Add(r.Skew)):
		e := refuse(codeExpired, "expired at %s", stamp(expires))
		e.Hint = "get a new token"
		return nil, e
	case issued.After(now.Add(r.Skew)) || time.Unix(nbf, 0).After(now.Add(r.Skew)):
		return nil, refuse(codeNotYet, "is not good yet: it is from %s", stamp(time.Unix(max(iat, nbf), 0)))
	case expires.Sub(issued) > r.MaxLifetime:
		return nil, refuse(codeTooOld, "is good for %v, longer than the table allows (%v)", expires.Sub(issued), r.MaxLifetime)
	case now.Sub(issued) > r.MaxAge+r.Skew:
		e := refuse(codeTooOld, "was issued at %s, longer ago than the table allows (%v)", stamp(issued), r.MaxAge)
		e.Hint = "get a new token"
		return nil, e
	}
	return &policy.Token{IssuedAtNS: issued.UnixNano(), ExpiresAtNS: expires.UnixNano(), AMR: methods(claims)}, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
