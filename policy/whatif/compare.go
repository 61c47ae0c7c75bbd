package whatif

import (
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
)

// Kind says what changes about a decision.
type Kind string

// The kinds of changes.
const (
	NowDenied    Kind = "now-denied"    // it was allowed, and would be denied
	NowAllowed   Kind = "now-allowed"   // it was denied, and would be allowed
	OtherReasons Kind = "other-reasons" // denied both times, for other codes
	OtherTerms   Kind = "other-terms"   // allowed both times: other warnings or obligations, or only in mode warn
)

// Kinds lists all kinds, those first that matter most.
func Kinds() []Kind { return []Kind{NowDenied, NowAllowed, OtherReasons, OtherTerms} }

// Answer is what a policy said, without its details.
type Answer struct {
	Allow bool
	// Deny, Warn and WouldDeny are the first reasons; DenyCodes are all codes of
	// Deny, sorted. WouldDeny is what mode warn let run.
	Deny, Warn, WouldDeny []policy.Reason
	DenyCodes             []string
	Rules                 []string // that allowed
	// The obligations; of the environment the names.
	Timeout time.Duration
	Env     []string
	User    string
	Sandbox []string
	Tokens  []string

	warnCodes []string        // of Warn and of WouldDeny
	all       []policy.Reason // of Deny, until the answer is kept
}

// wouldDeny stands before the codes of what mode warn let run.
const wouldDeny = "would-deny "

// kept is the answer without what would make many of them large.
func (a Answer) kept() Answer {
	a.Deny, a.Warn, a.WouldDeny, a.all = slices.Clone(a.Deny), slices.Clone(a.Warn), slices.Clone(a.WouldDeny), nil
	return a
}

// maxShown is how many reasons of one answer are kept.
const maxShown = 5

func recordedAnswer(b *decisionBody) Answer {
	return Answer{
		Allow: b.Allow, Deny: first(b.Deny), Warn: first(b.Warn), WouldDeny: first(b.WouldDeny), DenyCodes: codes(b.Deny), Rules: b.Rules,
		Timeout: time.Duration(b.TimeoutMS) * time.Millisecond, Env: b.Env, User: b.User, Sandbox: b.Sandbox, Tokens: b.Tokens,
		warnCodes: warnings(b.Warn, b.WouldDeny), all: b.Deny,
	}
}

func newAnswer(d *policy.Decision) Answer {
	return Answer{
		Allow: d.Allow, Deny: first(d.Deny), Warn: first(d.Warn), WouldDeny: first(d.WouldDeny), DenyCodes: codes(d.Deny), Rules: d.Rules,
		Timeout: d.Obligations.Timeout, Env: namesOf(d.Obligations.Env),
		User: d.Obligations.User, Sandbox: d.Obligations.Sandbox, Tokens: d.Obligations.Tokens,
		warnCodes: warnings(d.Warn, d.WouldDeny), all: d.Deny,
	}
}

// namesOf leaves out the values, as the records do.
func namesOf(env []string) []string {
	names := make([]string, 0, len(env))
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}

func first(reasons []policy.Reason) []policy.Reason { return reasons[:min(len(reasons), maxShown)] }

// warnings are the codes of the warnings; in the place of the one which says that
// something would be denied stands what.
func warnings(warn, would []policy.Reason) []string {
	words := slices.DeleteFunc(codes(warn), func(code string) bool { return code == "would-deny" })
	for _, code := range codes(would) {
		words = append(words, wouldDeny+code)
	}
	return words
}

func codes(reasons []policy.Reason) []string {
	words := make([]string, 0, len(reasons))
	for _, r := range reasons {
		words = append(words, r.Code)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Change is one decision that would come out otherwise.
type Change struct {
	Seq    uint64 // of its record
	Time   time.Time
	Kind   Kind
	Path   string // of the runbook
	Caller string
	Worker policy.Worker
	DryRun bool
	Was    Answer
	Now    Answer
	// Inexact says what of the question was not in the record; the new answer may
	// be another than the gate's would be.
	Inexact []string
}

// Group counts the changes that have one cause. A change may be in several.
type Group struct {
	Kind Kind
	// Code is the code that is new, with "+" before it, or gone, with "-", and
	// "would-deny" where mode warn lets it run; or which of the terms has changed:
	// "timeout", "env", "user", "sandbox" or "tokens".
	Code string
	// Rule is the rule that gives the code, or that allows now.
	Rule  string
	Count int
	First uint64 // the first record
}

// Left is a record that could not be decided again, and why.
type Left struct {
	Seq    uint64
	Name   string // of the runbook, where the record says it
	Reason string
}

// Comparison is what another policy makes of the decisions of a ledger.
type Comparison struct {
	Policy policy.Ref // that decided again
	Ledger ledger.Summary
	// Decisions are the records of decisions. Each is Same, among Counts, among
	// NoInput, among Secret or among Unreadable.
	Decisions  int
	Same       int
	Counts     map[Kind]int
	NoInput    int // denials that were recorded without what was asked
	Secret     int // the answer depends on a secret value, which is in no record
	Unreadable int // records that no worker of this version wrote
	// Inexact counts those decisions that were made without something that is not
	// in the record, changed or not.
	Inexact int
	// Groups are the causes, by kind, the most frequent first.
	Groups []Group
	// Changes, and Left of NoInput, Secret and Unreadable, are the first ones.
	Changes []Change
	Left    []Left
}

// Changed is how many decisions would come out otherwise.
func (c *Comparison) Changed() int {
	n := 0
	for _, count := range c.Counts {
		n += count
	}
	return n
}

// Settled reports whether the other policy decides everything in the same way:
// there was something to decide, nothing changed, no record was unreadable, and no
// answer hangs on a secret.
// Records without an input do not count against it: they are denials of what
// could not be asked. The zero value is not settled.
func (c *Comparison) Settled() bool {
	return c.Decisions > 0 && c.Changed() == 0 && c.Unreadable == 0 && c.Secret == 0
}

// compare returns what changes, "" for nothing, and the causes.
func compare(was, now *Answer) (Kind, []Group) {
	switch {
	case was.Allow && !now.Allow:
		return NowDenied, gained(nil, now)
	case !was.Allow && now.Allow:
		var groups []Group
		for _, rule := range now.Rules {
			groups = append(groups, Group{Rule: rule})
		}
		for _, r := range now.WouldDeny { // no rule allows, mode warn does
			if g := (Group{Code: wouldDeny + r.Code, Rule: r.Rule}); !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
		return NowAllowed, groups
	case !was.Allow && !slices.Equal(was.DenyCodes, now.DenyCodes):
		return OtherReasons, append(gained(was.DenyCodes, now), lost(was.DenyCodes, now.DenyCodes)...)
	case was.Allow:
		if groups := terms(was, now); len(groups) > 0 {
			return OtherTerms, groups
		}
	}
	return "", nil
}

// gained are the codes of a denial that were not there before, with the rule
// that gives them first.
func gained(before []string, now *Answer) []Group {
	var groups []Group
	for _, code := range now.DenyCodes {
		if slices.Contains(before, code) {
			continue
		}
		g := Group{Code: "+" + code}
		if i := slices.IndexFunc(now.all, func(r policy.Reason) bool { return r.Code == code }); i >= 0 {
			g.Rule = now.all[i].Rule
		}
		groups = append(groups, g)
	}
	return groups
}

func lost(before, after []string) []Group {
	var groups []Group
	for _, code := range before {
		if !slices.Contains(after, code) {
			groups = append(groups, Group{Code: "-" + code})
		}
	}
	return groups
}

func terms(was, now *Answer) []Group {
	var groups []Group
	for _, code := range now.warnCodes {
		if !slices.Contains(was.warnCodes, code) {
			groups = append(groups, Group{Code: "+" + code})
		}
	}
	groups = append(groups, lost(was.warnCodes, now.warnCodes)...)
	for _, term := range []struct {
		name  string
		other bool
	}{
		{"timeout", was.Timeout != now.Timeout}, {"env", !slices.Equal(was.Env, now.Env)}, {"user", was.User != now.User},
		{"sandbox", !slices.Equal(was.Sandbox, now.Sandbox)}, {"tokens", !slices.Equal(was.Tokens, now.Tokens)},
	} {
		if term.other {
			groups = append(groups, Group{Code: term.name})
		}
	}
	return groups
}
