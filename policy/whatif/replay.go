package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
)

// Limits of a replay.
const (
	// MaxChanges is how many changes may be listed.
	MaxChanges = 100_000
	// maxLeft is how many records that were left out are named.
	maxLeft = 20
	// maxGroups is how many causes each of the parallel parts of a replay tells
	// apart; the others are counted together.
	maxGroups = 10_000
)

// ReplayOptions are the parts of a replay. Engine is required.
type ReplayOptions struct {
	Engine *policy.Engine
	// Ledger says what else to hold the ledger to.
	Ledger ledger.VerifyOptions
	// Changes is how many changes are listed, the first ones; at most MaxChanges.
	Changes int
	// Workers is how many decisions are made at a time; the number of processors
	// if zero.
	Workers int
	// Progress, if set, is called after each decision with the number of those
	// made and read so far; never by two goroutines at a time.
	Progress func(done, read int)
}

// Replay decides every decision of a ledger again. Memory does not grow with the
// ledger. It fails with *ledger.ChainError if the ledger is not intact: then the
// records prove nothing, and there is no answer. It fails as well if r cannot be
// read or the context ends.
func Replay(ctx context.Context, r io.Reader, o ReplayOptions) (*Comparison, error) {
	if o.Engine == nil || o.Changes < 0 || o.Changes > MaxChanges {
		return nil, fmt.Errorf("a replay needs an engine, and a number of changes from 0 to %d", MaxChanges)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	records := make(chan ledger.Record, 2*o.Workers)
	var summary ledger.Summary
	var scanErr error
	var read atomic.Int64
	go func() {
		defer close(records)
		summary, scanErr = ledger.Scan(r, o.Ledger, func(rec ledger.Record) error {
			if rec.Type != ledger.TypeDecision {
				return ctx.Err()
			}
			rec.Body = slices.Clone(rec.Body) // valid until this returns only
			select {
			case records <- rec:
				read.Add(1)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	told := &progress{tell: o.Progress}
	tallies := make([]tally, o.Workers)
	var workers sync.WaitGroup
	for i := range tallies {
		t := &tallies[i]
		t.counts, t.groups, t.most = map[Kind]int{}, map[groupKey]*Group{}, o.Changes
		workers.Go(func() {
			for rec := range records {
				t.add(ctx, o.Engine, rec)
				told.done(int(read.Load()))
			}
		})
	}
	workers.Wait() // and so for the scan, which closes the channel
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	if scanErr != nil {
		return nil, scanErr
	}
	return merge(tallies, summary, o), nil
}

// progress counts for several goroutines.
type progress struct {
	mu   sync.Mutex
	n    int
	tell func(done, read int)
}

func (p *progress) done(read int) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	p.tell(p.n, read)
}

// groupKey is a Group without its numbers.
type groupKey struct {
	kind       Kind
	code, rule string
}

// tally is what one goroutine found. Its records come in their order, so that its
// first changes are enough for the first of all.
type tally struct {
	most       int
	decisions  int
	same       int
	noInput    int
	secret     int
	unreadable int
	inexact    int
	counts     map[Kind]int
	groups     map[groupKey]*Group
	changes    []Change
	left       []Left
}

// add decides one record again.
func (t *tally) add(ctx context.Context, e *policy.Engine, rec ledger.Record) {
	t.decisions++
	body, in, err := readDecision(rec)
	if err != nil {
		if errors.Is(err, errNoInput) && !body.Allow {
			t.noInput++
		} else {
			t.unreadable++
		}
		name := ""
		if body != nil {
			name = body.Runbook.Name
		}
		t.leave(Left{Seq: rec.Seq, Name: name, Reason: err.Error()})
		return
	}
	lacking := inexact(in)
	secrets := in.Redacted
	in.Redacted = nil
	d := e.Decide(ctx, *in)
	was, now := recordedAnswer(body), newAnswer(&d)
	if len(secrets) > 0 && hangsOnValues(d.Deny) {
		t.secret++
		t.leave(Left{Seq: rec.Seq, Name: body.Runbook.Name, Reason: "the answer depends on a secret value that is not in the record: " + strings.Join(secrets, ", ")})
		return
	}
	if len(secrets) > 0 {
		was.DenyCodes, now.DenyCodes = withoutValues(was.DenyCodes), withoutValues(now.DenyCodes)
	}
	if len(lacking) > 0 {
		t.inexact++
	}
	kind, groups := compare(&was, &now)
	if kind == "" {
		t.same++
		return
	}
	t.counts[kind]++
	for _, g := range groups {
		g.Kind, g.First, g.Count = kind, rec.Seq, 1
		t.group(g)
	}
	if len(t.changes) < t.most {
		t.changes = append(t.changes, Change{
			Seq: rec.Seq, Time: time.Unix(0, in.NowNS).UTC(), Kind: kind, Path: in.Runbook.Path, Caller: in.Caller.ID, Worker: in.Worker,
			DryRun: body.DryRun, Was: was.kept(), Now: now.kept(), Inexact: lacking,
		})
	}
}

func (t *tally) leave(l Left) {
	if len(t.left) < maxLeft {
		t.left = append(t.left, l)
	}
}

func (t *tally) group(g Group) {
	key := groupKey{g.Kind, g.Code, g.Rule}
	known := t.groups[key]
	if known == nil {
		if len(t.groups) >= maxGroups {
			key = groupKey{kind: g.Kind, code: "others"}
			g.Code, g.Rule = key.code, ""
		}
		if known = t.groups[key]; known == nil {
			t.groups[key] = &g
			return
		}
	}
	known.Count += g.Count
	known.First = min(known.First, g.First)
}

// inexact says what of a question is not in its record.
func inexact(in *policy.Input) []string {
	var lacking []string
	if in.Runbook.Manifest != nil {
		lacking = append(lacking, "the digests of the other files of the project, which a policy may deny")
	}
	for _, name := range in.Redacted {
		lacking = append(lacking, "the value of the parameter "+name+", which is secret or large")
	}
	return lacking
}

// valueCodes are what a rule says of the value of a parameter.
var valueCodes = []string{"parameter-type", "parameter-pattern", "parameter-enum", "parameter-range"}

// hangsOnValues says whether a rule lacks nothing but other values of parameters,
// and nothing but rules denies: of values that are not in the record that says
// nothing.
func hangsOnValues(deny []policy.Reason) bool {
	others := map[string]bool{} // by rule: whether it lacks something else, too
	for _, r := range deny {
		if strings.HasPrefix(r.Rule, "writ/") || strings.HasPrefix(r.Rule, "writ.user") {
			return false
		}
		others[r.Rule] = others[r.Rule] || !slices.Contains(valueCodes, r.Code)
	}
	for _, other := range others {
		if !other {
			return true
		}
	}
	return false
}

func withoutValues(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(code string) bool { return slices.Contains(valueCodes, code) })
}

func merge(tallies []tally, s ledger.Summary, o ReplayOptions) *Comparison {
	c := &Comparison{Policy: o.Engine.Policy(), Ledger: s, Counts: map[Kind]int{}, Groups: []Group{}, Changes: []Change{}, Left: []Left{}}
	all := tally{groups: map[groupKey]*Group{}}
	for _, t := range tallies {
		c.Decisions += t.decisions
		c.Same += t.same
		c.NoInput += t.noInput
		c.Secret += t.secret
		c.Unreadable += t.unreadable
		c.Inexact += t.inexact
		for kind, n := range t.counts {
			c.Counts[kind] += n
		}
		for _, g := range t.groups {
			all.group(*g)
		}
		c.Changes = append(c.Changes, t.changes...)
		c.Left = append(c.Left, t.left...)
	}
	for _, g := range all.groups {
		c.Groups = append(c.Groups, *g)
	}
	slices.SortFunc(c.Groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Kinds(), a.Kind), slices.Index(Kinds(), b.Kind)), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Rule, b.Rule),
		)
	})
	slices.SortFunc(c.Changes, func(a, b Change) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.SortFunc(c.Left, func(a, b Left) int { return cmp.Compare(a.Seq, b.Seq) })
	c.Changes = c.Changes[:min(len(c.Changes), o.Changes)]
	c.Left = c.Left[:min(len(c.Left), maxLeft)]
	return c
}
