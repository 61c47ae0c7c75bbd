package policy

import (
	"fmt"
	"time"
)

// Release says which edition of a policy a Source is, as its signed bundle and
// the store that keeps it say. The zero value is a policy folder: it has no
// editions.
type Release struct {
	Name string
	// Epoch counts the editions of one name up; 0 for none.
	Epoch uint64
	// NotBefore and Expires bound when it may decide: from NotBefore on, until
	// before Expires. The zero value does not bound.
	NotBefore, Expires time.Time
	// HighEpoch is the highest epoch of the name that this machine has activated:
	// an edition below it has been put back.
	HighEpoch uint64
}

// ref is the release as decisions name it.
func (r *Release) ref() Ref {
	return Ref{Name: r.Name, Epoch: r.Epoch, NotBeforeNS: nanoseconds(r.NotBefore), ExpiresNS: nanoseconds(r.Expires), HighEpoch: r.HighEpoch}
}

const (
	codePolicyExpired    = "policy-expired"
	codePolicyNotYet     = "policy-not-yet"
	codePolicyRolledBack = "policy-rolled-back"
	codeTrustExpired     = "trust-expired"
	codeTrustNotYet      = "trust-not-yet"
	codeTrustRolledBack  = "trust-rolled-back"
)

// edition is what a policy and a trust store have alike.
type edition struct {
	what                     string
	epoch, high              uint64
	notBefore, expires       int64
	expired, notYet, putBack string // codes
	renew                    string // hint
}

// staleReasons say that the policy or the trust store must not decide at this
// time, or that there is no telling the time.
func staleReasons(in *Input) []Reason {
	var reasons []Reason
	deny := func(code, hint, msg string, args ...any) {
		reasons = append(reasons, Reason{Code: code, Msg: fmt.Sprintf(msg, args...), Hint: hint, Rule: ruleEngine})
	}
	p, t := &in.Policy, &in.Trust
	for _, e := range []edition{
		{"policy", p.Epoch, p.HighEpoch, p.NotBeforeNS, p.ExpiresNS, codePolicyExpired, codePolicyNotYet, codePolicyRolledBack, "activate a newer policy"},
		{"trust store", t.Epoch, t.HighEpoch, t.NotBeforeNS, t.ExpiresNS, codeTrustExpired, codeTrustNotYet, codeTrustRolledBack, "install the newest trust store"},
	} {
		if e.expires != 0 && in.NowNS >= e.expires {
			deny(e.expired, e.renew, "the %s expired at %s", e.what, moment(e.expires))
		}
		if in.NowNS < e.notBefore {
			deny(e.notYet, "wait, or set the clock right", "the %s holds from %s on", e.what, moment(e.notBefore))
		}
		if e.epoch < e.high {
			deny(e.putBack, e.renew, "the %s has the epoch %d, and this machine has seen %d: an old one has been put back", e.what, e.epoch, e.high)
		}
	}
	if in.NowNS < in.LastRecordNS {
		deny(CodeClock, "set the clock right", "it is %s, and the last record of the ledger is of %s", moment(in.NowNS), moment(in.LastRecordNS))
	}
	return reasons
}

func moment(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
