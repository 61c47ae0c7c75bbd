package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runwrit/writ/runbook"
)

// DecisionVersion names the schema of Decision; see schema/decision.v1.json.
const DecisionVersion = "writ.decision/v1"

// Reason is one answer of the policy to the question "why".
type Reason struct {
	Code string `json:"code"` // stable word, such as "signer-not-allowed"
	Msg  string `json:"msg"`
	// Hint says what would make it allowed, within the policy; may be empty.
	Hint string `json:"hint"`
	// Rule names the rule that gave the answer: of grants.yaml or of a Rego file.
	Rule string `json:"rule"`
}

// Obligations are what the worker must hold to when it runs the runbook.
type Obligations struct {
	// Timeout ends the run; whole seconds, never zero in a permit.
	Timeout time.Duration
	// Env lists what the runbook's environment holds beside the fixed part:
	// "NAME" passes the gate's own value on, "NAME=value" sets one.
	Env []string
	// User is the account that it runs as; "" for the gate's own.
	User string
	// Sandbox lists the profiles that may confine it, the strongest first: the
	// worker uses the first one that its host can give. nil for the worker's own.
	Sandbox []string
	// Tokens are the audiences for which it can get a token of the host; nil for none.
	Tokens []string
}

// The profiles that confine a run, the strongest first. SandboxNone does not
// confine.
const (
	SandboxStrict   = "strict"
	SandboxStandard = "standard"
	SandboxNone     = "none"
)

// obligationsDoc is the form of Obligations in JSON.
type obligationsDoc struct {
	TimeoutS int64    `json:"timeout_s"`
	Env      []string `json:"env"`
	User     string   `json:"user,omitempty"`
	Sandbox  []string `json:"sandbox,omitempty"`
	Tokens   []string `json:"tokens,omitempty"`
}

// MarshalJSON writes the timeout in seconds.
func (o Obligations) MarshalJSON() ([]byte, error) {
	return json.Marshal(obligationsDoc{int64(o.Timeout / time.Second), list(o.Env), o.User, o.Sandbox, o.Tokens})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *Obligations) UnmarshalJSON(data []byte) error {
	var doc obligationsDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("obligations: %w", err)
	}
	if doc.TimeoutS < 0 || doc.TimeoutS > int64(MaxTimeout/time.Second) {
		return fmt.Errorf("obligations: timeout_s %d is out of range", doc.TimeoutS)
	}
	*o = Obligations{Timeout: time.Duration(doc.TimeoutS) * time.Second, Env: doc.Env, User: doc.User, Sandbox: doc.Sandbox, Tokens: doc.Tokens}
	return nil
}

func (o Obligations) clone() Obligations {
	o.Env, o.Sandbox, o.Tokens = slices.Clone(o.Env), slices.Clone(o.Sandbox), slices.Clone(o.Tokens)
	return o
}

// list is s, never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Ref says which policy decided.
type Ref struct {
	SHA256 runbook.Digest `json:"sha256"`
	// The rest is as in Release; "" and 0 for a policy folder.
	Name        string `json:"name"`
	Epoch       uint64 `json:"epoch"`
	NotBeforeNS int64  `json:"not_before_ns"`
	ExpiresNS   int64  `json:"expires_ns"` // 0 for never
	HighEpoch   uint64 `json:"high_epoch"`
}

// term is the reference as a policy reads it.
func jsonNumber(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// Decision is the answer of the gate. Its zero value denies.
type Decision struct {
	Version string   `json:"version"`
	Allow   bool     `json:"allow"`
	Mode    string   `json:"mode"`
	Deny    []Reason `json:"deny"`
	Warn    []Reason `json:"warn"`
	// WouldDeny is what would be denied, where ModeWarn or an Override let it run.
	WouldDeny []Reason `json:"would_deny"`
	// Rules are the names of the grants that allowed; none where ModeWarn did.
	Rules []string `json:"rules"`
	// Exemptions are those that lifted something.
	Exemptions []Exemption `json:"exemptions"`
	// Override says by which statements the denials of the policy were lifted; left
	// out where none were.
	Override    *Override      `json:"override,omitempty"`
	Obligations Obligations    `json:"obligations"`
	Policy      Ref            `json:"policy"`
	Runbook     runbook.Digest `json:"runbook"`
	// Manifest is the digest of the list of files that the runbook was decided on
	// as a part of; left out for none.
	Manifest runbook.Digest `json:"manifest,omitzero"`

	permit *Permit
	// shown are the names of the parameters whose values may be recorded.
	shown map[string]bool
	// hidden takes the values of all others out of a text; nil for none.
	hidden *strings.Replacer
}

// MarshalJSON writes the decision by its schema: no list is null.
func (d Decision) MarshalJSON() ([]byte, error) {
	type plain Decision // without this method
	d.Deny, d.Warn, d.WouldDeny, d.Rules, d.Exemptions = list(d.Deny), list(d.Warn), list(d.WouldDeny), list(d.Rules), list(d.Exemptions)
	return json.Marshal(plain(d))
}

// ErrNoPermit says that a decision does not permit anything: it denies, or it
// did not come from an Engine.
var ErrNoPermit = errors.New("the decision permits nothing")

// Permit returns the permission that an allowing decision of an Engine carries.
// It fails with ErrNoPermit for every other Decision, also for one that was
// decoded or put together by hand and says Allow.
func (d Decision) Permit() (*Permit, error) {
	if !d.Allow || len(d.Deny) > 0 || d.permit == nil {
		return nil, ErrNoPermit
	}
	return d.permit, nil
}

// Permit allows one run of one payload with one list of arguments. Only an
// Engine makes one; the zero value permits nothing.
type Permit struct {
	file, payload runbook.Digest
	manifest      Manifest // the zero value for a payload that runs by itself
	arguments     []Argument
	obligations   Obligations
	expires       time.Time
	uses          []Use
	// secret says of parameters that their values must be told to nobody but the
	// runbook.
	secret map[string]bool
}

// File is the digest of the signed file that was decided on.
func (p *Permit) File() runbook.Digest { return p.file }

// Payload is the digest of the bytes that may be run.
func (p *Permit) Payload() runbook.Digest { return p.payload }

// Manifest says with which set of files the payload may run, and at which place in
// it; the zero value for a payload that runs by itself.
func (p *Permit) Manifest() Manifest { return p.manifest }

// Arguments are the arguments that were decided on, in their order.
func (p *Permit) Arguments() []Argument { return slices.Clone(p.arguments) }

// Secret reports whether a parameter, named as in Input.Parameters, is one whose
// value only the runbook may learn.
func (p *Permit) Secret(parameter string) bool { return p.secret[parameter] }

// Obligations are what the run must hold to.
func (p *Permit) Obligations() Obligations {
	o := p.obligations
	return o.clone()
}

// Expires is when the permit lapses: a decision is for here and now.
func (p *Permit) Expires() time.Time { return p.expires }

// Argument is one argument of a runbook: named ("Name" is set) or positional.
type Argument struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
	// JSON says that Value is a list or an object, which no command line can carry:
	// the runbook gets it in the document of its parameters only. A policy reads the
	// text.
	JSON bool `json:"json,omitempty"`
}

// parameters is the view of the arguments that a policy sees: a map from name
// to value; positional arguments have the names "1", "2", ...
func parameters(args []Argument) map[string]string {
	m := make(map[string]string, len(args))
	position := 0
	for _, a := range args {
		name := a.Name
		if name == "" {
			position++
			name = strconv.Itoa(position)
		}
		m[name] = a.Value
	}
	return m
}
