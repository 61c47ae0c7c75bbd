//go:build !nosigstore

package format

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/internal/sigstoreclient"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// renewBefore is how long before its end a certificate is not used any more: the
// log and the authority that are asked afterwards need time too.
const renewBefore = 2 * time.Minute

// KeylessOptions say who certifies, and for whom.
type KeylessOptions struct {
	// Fulcio is the address of the certificate authority.
	Fulcio *url.URL
	// Token gets the token that says who signs.
	Token func(context.Context) (oidctoken.Token, error)
	// Endpoint says how the authority is asked.
	Endpoint endpoint.Options
	// Now is the clock; nil for that of the machine.
	Now func() time.Time
}

// keyless is the key of one run. Key and certificate serve all files of the run
// while the certificate is valid: it names who signs, not what, and to ask for one
// a file would only make more of them. The key is never written anywhere.
type keyless struct {
	KeylessOptions
	mu   sync.Mutex
	key  *ecdsa.PrivateKey
	leaf *x509.Certificate
	id   string // of the first certificate
}

// OpenKeyless gets a first certificate, and returns the key for whom it names. It
// fails with *oidctoken.Error or *endpoint.Error.
func OpenKeyless(ctx context.Context, o KeylessOptions) (*signer.Key, error) {
	if o.Fulcio == nil || o.Token == nil {
		return nil, errors.New("keyless signing needs an authority and a token")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &keyless{KeylessOptions: o}
	if _, _, err := k.certified(ctx); err != nil {
		return nil, err
	}
	return signer.NewKeylessKey("certificate by "+o.Fulcio.Host, k.id, k.certified)
}

// certified returns key and certificate, new ones where the old ones end soon.
func (k *keyless) certified(ctx context.Context) (crypto.Signer, *x509.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leaf != nil && k.Now().Add(renewBefore).Before(k.leaf.NotAfter) {
		return k.key, k.leaf, nil
	}
	token, err := k.Token(ctx)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := sigstoreclient.Certificate(ctx, k.Fulcio, token, key, k.Now(), k.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	facts, err := readFulcio(leaf)
	if err != nil {
		return nil, nil, k.refuse("the certificate cannot be used: %v", err)
	}
	if why := misnamed(facts, token); why != "" {
		return nil, nil, k.refuse("%s", why)
	}
	id := "sigstore:" + facts.Issuer + "|" + facts.SAN
	if k.id != "" && id != k.id {
		return nil, nil, k.refuse("the new certificate is for %q, the first one was for %q", id, k.id)
	}
	k.key, k.leaf, k.id = key, leaf, id
	return key, leaf, nil
}

func (k *keyless) refuse(format string, args ...any) error {
	return &endpoint.Error{What: "fulcio", Where: k.Fulcio.Scheme + "://" + k.Fulcio.Host, Msg: fmt.Sprintf(format, args...)}
}

// misnamed says why the certificate is not for whom the token names, "" if it is.
// How an authority names jobs and machines is its own rule; people, and the jobs of
// GitHub and GitLab, have one form everywhere.
func misnamed(facts *verifier.Sigstore, t oidctoken.Token) string {
	if facts.Issuer != t.Issuer && (t.Connector == "" || facts.Issuer != t.Connector) {
		return fmt.Sprintf("the certificate says that %q knows the signer, and the token is by %q", facts.Issuer, t.Issuer)
	}
	switch {
	case t.Email == "" && t.Workflow == "":
		return ""
	case t.Email != "" && facts.SAN == t.Email:
		return ""
	case t.Workflow != "" && ofWorkflow(facts.SAN, t.Workflow):
		return ""
	case facts.SAN == t.Subject, strings.HasPrefix(facts.SAN, t.Subject+"!"):
		return ""
	}
	return fmt.Sprintf("the certificate is for %q, and the token for somebody else", facts.SAN)
}

// ofWorkflow says whether the name is that of the workflow, at whatever host. It is a
// URI, where letters beyond ASCII are written as their bytes.
func ofWorkflow(san, workflow string) bool {
	rest, ok := strings.CutPrefix(san, "https:/")
	if !ok {
		return false
	}
	written := workflow
	if !strings.ContainsAny(workflow, "#%") { // which mean something else in a URI
		written = (&url.URL{Path: workflow}).EscapedPath()
	}
	return strings.HasSuffix(rest, "/"+workflow) || strings.HasSuffix(rest, "/"+written)
}
