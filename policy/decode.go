package policy

import (
	"fmt"

	"github.com/runwrit/writ/internal/strictjson"
)

const (
	// maxInputSize and maxDecisionSize bound the JSON of an input and of a decision;
	// what is in bounds field by field is smaller, but for one with thousands of the
	// longest texts.
	maxInputSize    = 16 << 20
	maxDecisionSize = 4 << 20
)

// DecodeInput reads an Input from JSON, as a record holds it. It takes exactly what
// the schema describes and json.Marshal writes: no field that is unknown, missing,
// twice or in other letters, nothing behind it, no other version. A decision on it
// carries no permit. It fails with *InputError.
func DecodeInput(data []byte) (Input, error) {
	var in Input
	if err := strictjson.Decode(data, maxInputSize, &in); err != nil {
		return Input{}, &InputError{"document", err.Error()}
	}
	if err := in.check(); err != nil {
		return Input{}, err
	}
	return in, nil
}

// DecodeDecision reads a Decision from JSON as DecodeInput reads an Input. It
// carries no permit, whatever it says. It fails with *DecisionError.
func DecodeDecision(data []byte) (Decision, error) {
	var d Decision
	if err := strictjson.Decode(data, maxDecisionSize, &d); err != nil {
		return Decision{}, &DecisionError{err.Error()}
	}
	if bad := d.problem(); bad != "" {
		return Decision{}, &DecisionError{bad}
	}
	return d, nil
}

// DecisionError says that a document is no decision that could be relied on as a
// record.
type DecisionError struct{ Msg string }

func (e *DecisionError) Error() string { return "policy decision: " + e.Msg }

// problem says what contradicts itself in a decision, "" for nothing.
func (d *Decision) problem() string {
	switch {
	case d.Version != DecisionVersion:
		return "version: want " + DecisionVersion
	case d.Mode != ModeEnforce && d.Mode != ModeWarn:
		return "mode: want " + ModeEnforce + " or " + ModeWarn
	case len(d.WouldDeny) > 0:
		if !d.Allow || (d.Mode == ModeWarn) == (d.Override != nil) || len(d.Deny)+len(d.Rules) > 0 {
			return "it would deny, and does not allow by mode " + ModeWarn + " or an override alone"
		}
	case d.Override != nil:
		return "it has an override, and would deny nothing"
	case d.Allow && (len(d.Deny) > 0 || len(d.Rules) == 0):
		return "it allows, and denies or names no rule that allowed"
	case !d.Allow && (len(d.Deny) == 0 || len(d.Rules) > 0):
		return "it denies, and gives no reason or names a rule that allowed"
	}
	for i, x := range d.Exemptions {
		if x.ID == "" || len(x.Codes) == 0 || x.ExpiresNS < 1 {
			return fmt.Sprintf("exemption %d: it has no id, no code or no end", i+1)
		}
	}
	for _, list := range [][]Reason{d.Deny, d.Warn, d.WouldDeny} {
		for i, r := range list {
			if err := r.problem(); err != nil {
				return fmt.Sprintf("reason %d: %v", i+1, err)
			}
		}
	}
	return ""
}
