package render

import (
	"io"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/whatif"
)

type jsonCounts struct {
	Same         int `json:"same"`
	NowDenied    int `json:"now_denied"`
	NowAllowed   int `json:"now_allowed"`
	OtherReasons int `json:"other_reasons"`
	OtherTerms   int `json:"other_terms"`
	NoInput      int `json:"no_input"`
	Secret       int `json:"secret"`
	Unreadable   int `json:"unreadable"`
}

type jsonCause struct {
	Kind  whatif.Kind `json:"kind"`
	Code  string      `json:"code"`
	Rule  string      `json:"rule"`
	Count int         `json:"count"`
	First uint64      `json:"first_seq"`
}

type jsonAnswer struct {
	Allow    bool            `json:"allow"`
	Codes    []string        `json:"deny_codes"`
	Deny     []policy.Reason `json:"deny"` // the first ones
	Warn     []policy.Reason `json:"warn"`
	Would    []policy.Reason `json:"would_deny"`
	Rules    []string        `json:"rules"`
	TimeoutS int64           `json:"timeout_s"`
	Env      []string        `json:"env"`
	User     string          `json:"user"`
	Sandbox  []string        `json:"sandbox"`
	Tokens   []string        `json:"tokens"`
}

func newJSONAnswer(a whatif.Answer) jsonAnswer {
	return jsonAnswer{
		Allow: a.Allow, Codes: orEmpty(a.DenyCodes), Deny: orEmpty(a.Deny), Warn: orEmpty(a.Warn), Would: orEmpty(a.WouldDeny), Rules: orEmpty(a.Rules),
		TimeoutS: int64(a.Timeout / time.Second), Env: orEmpty(a.Env), User: a.User, Sandbox: orEmpty(a.Sandbox), Tokens: orEmpty(a.Tokens),
	}
}

// orEmpty is s, never null in JSON.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

type jsonChange struct {
	Seq     uint64        `json:"seq"`
	Time    time.Time     `json:"time"`
	Kind    whatif.Kind   `json:"kind"`
	Path    string        `json:"path"`
	Caller  string        `json:"caller"`
	Worker  policy.Worker `json:"worker"`
	DryRun  bool          `json:"dry_run"`
	Was     jsonAnswer    `json:"was"`
	Now     jsonAnswer    `json:"now"`
	Inexact []string      `json:"inexact"`
}

type jsonLeft struct {
	Seq    uint64 `json:"seq"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func (jsonRenderer) Replay(w io.Writer, r Replay) error {
	doc := struct {
		Version   int         `json:"version"`
		Path      string      `json:"path"`
		Records   uint64      `json:"records"`
		Head      ledger.Head `json:"head"`
		Policy    policy.Ref  `json:"policy"`
		Settled   bool        `json:"settled"`
		Decisions int         `json:"decisions"`
		Changed   int         `json:"changed"`
		Inexact   int         `json:"inexact"`
		Counts    jsonCounts  `json:"counts"`
		Causes    []jsonCause `json:"causes"`
		// Changes and NotDecided are the first ones.
		Changes    []jsonChange `json:"changes"`
		NotDecided []jsonLeft   `json:"not_decided"`
	}{
		Version: schemaVersion, Path: r.Path, Records: r.Ledger.Records, Head: r.Ledger.Head, Policy: r.Policy, Settled: r.Settled(),
		Decisions: r.Decisions, Changed: r.Changed(), Inexact: r.Inexact,
		Counts: jsonCounts{
			Same: r.Same, NowDenied: r.Counts[whatif.NowDenied], NowAllowed: r.Counts[whatif.NowAllowed],
			OtherReasons: r.Counts[whatif.OtherReasons], OtherTerms: r.Counts[whatif.OtherTerms], NoInput: r.NoInput, Secret: r.Secret, Unreadable: r.Unreadable,
		},
		Causes: []jsonCause{}, Changes: []jsonChange{}, NotDecided: []jsonLeft{},
	}
	for _, g := range r.Groups {
		doc.Causes = append(doc.Causes, jsonCause(g))
	}
	for _, c := range r.Changes {
		doc.Changes = append(doc.Changes, jsonChange{
			Seq: c.Seq, Time: c.Time, Kind: c.Kind, Path: c.Path, Caller: c.Caller, Worker: plainWorker(c.Worker), DryRun: c.DryRun,
			Was: newJSONAnswer(c.Was), Now: newJSONAnswer(c.Now), Inexact: orEmpty(c.Inexact),
		})
	}
	for _, l := range r.Left {
		doc.NotDecided = append(doc.NotDecided, jsonLeft(l))
	}
	return writeJSON(w, doc)
}
