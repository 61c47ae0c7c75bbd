package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/audience"
)

// shelf is what a run remembers. Its lock is held while the source is asked, so that
// questions of one run take turns.
type shelf struct {
	mu      sync.Mutex
	tokens  map[string]kept // by audience, as it was asked for
	refused map[string]bool
	// left is how many questions may still come, as of since.
	left  int
	since time.Time
	// records counts what was put on record.
	records int
}

// errTooMany: a runbook must not fill the ledger by what it asks for.
var errTooMany = errors.New("too many records of one run")

type kept struct {
	token   []byte
	expires time.Time
}

func newShelf(now time.Time) shelf {
	return shelf{tokens: map[string]kept{}, refused: map[string]bool{}, left: burst, since: now}
}

func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.tokens {
		clear(k.token)
	}
	clear(s.tokens)
}

// admit counts a question, and says whether it may be put now.
func (s *shelf) admit(now time.Time) bool {
	if more := now.Sub(s.since) / pace; more > 0 {
		s.left, s.since = int(min(burst, time.Duration(s.left)+more)), s.since.Add(more*pace)
	} else if now.Before(s.since) { // the clock was put back
		s.since = now
	}
	if s.left == 0 {
		return false
	}
	s.left--
	return true
}

// give answers a question of the runbook.
func (e *Endpoint) give(q *question) (*granted, error) {
	s := &e.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	now := e.o.Now()
	if !s.admit(now) {
		return nil, refuse(429, "too-many", "the runbook asks too often")
	}
	if !slices.ContainsFunc(e.job.Audiences, func(a string) bool { return audience.Same(a, q.audience) }) {
		return nil, e.deny(q)
	}
	k, there := s.tokens[q.audience]
	if !there || !now.Add(reserve).Before(k.expires) {
		var err error
		if k, err = e.fetch(q, now); err != nil {
			return nil, err
		}
		s.tokens[q.audience] = k
	}
	return grant(k, q.audience, e.o.ClientID, now), nil
}

// deny refuses an audience that the policy does not grant. Each is recorded once.
func (e *Endpoint) deny(q *question) error {
	s := &e.shelf
	if !s.refused[q.audience] {
		if err := e.record(Decision{Audience: q.audience}); err != nil {
			return refuse(500, "record", "the refusal could not be recorded")
		}
		s.refused[q.audience] = true
	}
	return refuse(403, "audience", fmt.Sprintf("the policy grants this runbook no token for %q", q.audience))
}

// fetch gets a token from the source, and returns it once that is recorded.
func (e *Endpoint) fetch(q *question, now time.Time) (kept, error) {
	ctx, cancel := context.WithTimeout(e.ctx, sourceTimeout)
	defer cancel()
	token, expires, err := e.o.Source.Token(ctx, q.audience)
	d := Decision{Audience: q.audience, Allowed: true, Given: true, Expires: expires}
	switch {
	case err != nil:
		d = Decision{Audience: q.audience, Allowed: true, Error: err.Error()}
	case len(token) == 0 || !now.Before(expires):
		d = Decision{Audience: q.audience, Allowed: true, Error: "the source gave no token, or one that has expired"}
	}
	if err := e.record(d); err != nil {
		clear(token)
		return kept{}, refuse(500, "record", "the token could not be recorded, and is not handed out")
	}
	if !d.Given {
		return kept{}, refuse(503, "source", "the managed identity of the host gives no token now; the ledger says why")
	}
	if e.job.Given != nil && !e.job.Given(string(token)) {
		clear(token)
		// What was recorded just now was not done; if this fails, it says too much.
		_ = e.record(Decision{Audience: q.audience, Allowed: true, Error: "not handed out: the run has got more tokens than can be kept out of its logs"})
		return kept{}, refuse(503, "source", "the run has got too many tokens")
	}
	return kept{token, expires}, nil
}

// record records a decision, unless the run has filled its share.
func (e *Endpoint) record(d Decision) error {
	s := &e.shelf
	if s.records == maxRecords {
		return errTooMany
	}
	s.records++
	return e.job.Record(e.ctx, d)
}
