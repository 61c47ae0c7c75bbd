package policy

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/internal/strictyaml"
)

// Modes of a decision.
const (
	// ModeEnforce is the mode in which what the policy denies does not run.
	ModeEnforce = "enforce"
	// ModeWarn is the mode in which it runs all the same, and the decision says
	// what would have been denied. Hard checks hold in it too.
	ModeWarn = "warn"
)

// groupMode is the mode of a worker group; ModeWarn ends at Until, in nanoseconds
// since 1970.
type groupMode struct {
	Mode  string
	Until int64
}

func (g *grants) readModes(t *tree, n *yaml.Node) {
	pairs := t.Entries(n, "worker_groups")
	if len(pairs) > maxModes {
		t.Problem(n, "worker_groups", "has %d entries, the limit is %d", len(pairs), maxModes)
	}
	for _, p := range pairs {
		field := "worker_groups." + strictyaml.Clip(p.Key)
		if bad := nameProblem(p.Key); bad != "" {
			t.Problem(p.At, field, "%s", bad)
			continue
		}
		f := t.Fields(p.Value, field, "mode", "until")
		m := groupMode{Mode: t.Word(t.Need(f, p.Value, field, "mode"), field+".mode", func(s string) string {
			return strictyaml.OneOf("mode", s, []string{ModeEnforce, ModeWarn})
		})}
		switch until := f["until"]; {
		case m.Mode == ModeWarn && until == nil:
			t.Problem(p.Value, field+".until", "is missing: mode warn must have an end, from which on the group enforces")
		case m.Mode == ModeWarn:
			m.Until = instant(t.Word(until, field+".until", instantProblem))
		case until != nil:
			t.Problem(until, field+".until", "is the end of mode warn, and means nothing here")
		}
		g.modes[p.Key] = m
	}
}

// instant reads a moment that has no problem; 0 for none.
func instant(s string) int64 {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0
	}
	return at.UnixNano()
}

// instantProblem says why s is no moment, "" if it is one: it must mean the same
// on every machine.
func instantProblem(s string) string {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !yearFits(at) {
		return "want a moment such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, in quotes"
	}
	return ""
}

// mode is the mode in which a worker is at a time, and until when. A worker
// without a group enforces.
func (g *global) mode(w *Worker, now int64) (mode string, until int64) {
	if m := g.Modes[w.Group]; w.Group != "" && m.Mode == ModeWarn && now < m.Until {
		return ModeWarn, m.Until
	}
	return ModeEnforce, 0
}

// onlyWarn lets run what only the policy denies: a hard check, or a policy that
// failed, denies in every mode.
func (d *Decision) onlyWarn(group string, until int64) {
	if len(d.Deny) == 0 || slices.ContainsFunc(d.Deny, Reason.hard) {
		return
	}
	d.WouldDeny, d.Deny = d.Deny, []Reason{}
	d.Warn = append(d.Warn, Reason{
		Code: codeWouldDeny, Rule: ruleModes,
		Msg: fmt.Sprintf("the policy denies it, and the worker group %s only warns until %s: %s", group, moment(until), d.WouldDeny[0].Msg),
	})
}
