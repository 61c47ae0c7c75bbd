//go:build linux

package worker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// A runbook that is to be confined, or run by somebody else, is not run in any
// other way.
func TestWhatAWorkerCannotHoldToIsNotRun(t *testing.T) {
	t.Parallel()
	for _, obligation := range []string{"user: writ-nobody", "tokens: [storage]"} {
		t.Run(obligation, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			if user, ok := strings.CutPrefix(obligation, "user: "); ok {
				g.user = user
			} else {
				g.timeout = "30s, " + obligation
			}
			o := g.run("r.sh", "echo ran\n")
			var bad *worker.ObligationError
			name, _, _ := strings.Cut(obligation, ":")
			if !errors.As(o.err, &bad) || bad.Name != name || o.Started || o.stdout != "" || !strings.Contains(o.err.Error(), "obliges to "+name) {
				t.Errorf("got %v, %+v", o.err, o.Result)
			}
			if types, _ := g.records(); len(types) != 1 || types[0] != ledger.TypeDecision {
				t.Errorf("recorded %v", types)
			}
		})
	}
}

func TestWhatAWorkerCanHoldToIsRunAndRecorded(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	if o := g.must(g.run("r.sh", "echo ran\n")); o.stdout != "ran\n" {
		t.Errorf("%+v", o)
	}
	if _, bodies := g.records(); bodies[0]["user"] != own(t) || !cmp.Equal(bodies[0]["sandbox"], []any{policy.SandboxNone}) {
		t.Errorf("%v", bodies[0])
	}
}
