package worker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker/broker"
)

// tokens is what one run may ask for tokens. Nil is a run that gets none.
type tokens struct {
	endpoint *broker.Endpoint
	// start is the number of the run's record; before there is one, nothing is
	// handed out.
	start atomic.Uint64
}

// errNotStarted: somebody has asked before the runbook could.
var errNotStarted = errors.New("the start of the run is not recorded yet")

// tokensHonoured refuses a run that the policy grants tokens where there are none.
func (w *Worker) tokensHonoured(o policy.Obligations) error {
	if len(o.Tokens) > 0 && w.tokens == nil {
		return &ObligationError{"tokens", strings.Join(o.Tokens, ", "), "this worker has no managed identity to get tokens from"}
	}
	return nil
}

// openTokens opens the port at which the runbook of p asks for tokens, if it is granted
// any, and adds to the environment where it is.
func (w *Worker) openTokens(ctx context.Context, p *plan, place *place) (*tokens, error) {
	if len(p.audiences) == 0 {
		return nil, nil //nolint:nilnil // none are granted
	}
	t := &tokens{}
	job := broker.Job{Audiences: p.audiences, Record: func(ctx context.Context, d broker.Decision) error {
		return w.recordToken(ctx, p, t.start.Load(), d)
	}, Given: p.given.Add}
	if w.tokens.Protocol() == broker.Arc {
		job.SecretFile = filepath.Join(place.home, ".identity.key")
	}
	var err error
	if t.endpoint, err = w.tokens.Open(ctx, job); err != nil {
		return nil, &StartError{"open a port for tokens", err}
	}
	if job.SecretFile != "" {
		// Removed with the folder.
		if err := place.writeSecret(job.SecretFile, t.endpoint.Secret(), p.user); err != nil {
			t.close()
			return nil, &StartError{"put the secret for tokens where the runbook reads it", err}
		}
	}
	p.identity = t.endpoint.Env()
	p.secrets = append(p.secrets, string(t.endpoint.Secret())) // whoever reads a log while the run goes on could ask
	return t, nil
}

// started says that the run's start is on record.
func (t *tokens) started(seq uint64) {
	if t != nil {
		t.start.Store(seq)
	}
}

// close ends it, and says what there is to say of it. From then on the secret of the
// run is good for nothing. It may be called twice.
func (t *tokens) close() (warnings []string) {
	if t == nil {
		return nil
	}
	t.endpoint.Close()
	if n := t.endpoint.Refused(); n > 0 {
		return []string{fmt.Sprintf("the run's port for tokens was asked %d times without its secret, or with a wrong one", n)}
	}
	return nil
}

// tokenBody is the body of a token record.
type tokenBody struct {
	Version  int    `json:"version"`
	Decision uint64 `json:"decision"`
	Start    uint64 `json:"start"`
	Audience string `json:"audience"`
	// Allow says that the policy grants it; Given that there was a token, which was
	// handed out once this was recorded.
	Allow   bool   `json:"allow"`
	Given   bool   `json:"given"`
	Expires string `json:"expires"` // of the token; "" for none
	Error   string `json:"error"`
}

func (w *Worker) recordToken(ctx context.Context, p *plan, start uint64, d broker.Decision) error {
	if start == 0 {
		return errNotStarted
	}
	body := tokenBody{
		Version: recordVersion, Decision: p.decision.seq, Start: start, Audience: d.Audience, Allow: d.Allowed, Given: d.Given, Error: d.Error,
	}
	if !d.Expires.IsZero() {
		body.Expires = d.Expires.UTC().Format(time.RFC3339)
	}
	_, err := w.append(ctx, ledger.Event{Type: ledger.TypeToken, Body: body})
	return err
}
