package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxExplained is the number of rules up to which Explain looks at all of them;
// with more it looks at those that a decision looks at.
const maxExplained = 64

// Explanation says how a decision came about.
type Explanation struct {
	Input    Input    `json:"input"`
	Decision Decision `json:"decision"`
	// Signers and Requester are who grants.yaml takes the signers and the caller
	// for; Requester is "" for somebody it does not know.
	Signers   []string `json:"signers"`
	Requester string   `json:"requester"`
	// Approvals are the statements on the runbook, in the order of the input.
	Approvals []ApprovalOutcome `json:"approvals"`
	// Rules are the rules of grants.yaml that were looked at, in their order;
	// Total is how many there are.
	Rules []RuleOutcome `json:"rules"`
	Total int           `json:"total"`
	// Fired are the IDs of the rules of the library, and the labels "id" of the
	// user's, that took part.
	Fired []string `json:"fired"`
	// Steps are those of the evaluation, where they were asked for: file and line,
	// what was evaluated, and with which values. Their form is OPA's.
	Steps []string `json:"steps,omitempty"`
}

// RuleOutcome is what one rule of grants.yaml makes of an input.
type RuleOutcome struct {
	Name  string        `json:"name"`
	Line  int           `json:"line"` // in grants.yaml
	Holds bool          `json:"holds"`
	Parts []PartOutcome `json:"parts"`
}

// PartOutcome is what one part of a rule, such as "workers", makes of an input.
type PartOutcome struct {
	Part  string `json:"part"`
	Holds bool   `json:"holds"`
	// Lacks says what is not there, and what would be needed.
	Lacks []Lack `json:"lacks"`
}

// Lack is one thing that a part of a rule misses.
type Lack struct {
	Part string `json:"part"`
	Code string `json:"code"`
	Msg  string `json:"msg"`
	Hint string `json:"hint"`
}

// Explain decides as Decide does, without a permit, and says how the decision
// came about. An error says that the policy could not be evaluated; Decision
// holds the denial in that case too.
func (e *Engine) Explain(ctx context.Context, in Input) (Explanation, error) {
	return e.Trace(ctx, in, nil)
}

// Trace explains as Explain does, and tells t, unless it is nil, of each step of
// the evaluation. A policy that does not answer in time may go on telling t.
func (e *Engine) Trace(ctx context.Context, in Input, t topdown.QueryTracer) (x Explanation, err error) {
	in.Policy = e.Policy()
	in.seal = nil
	d := e.Decide(ctx, in)
	x = Explanation{Input: d.Redact(in), Decision: d, Signers: []string{}, Approvals: []ApprovalOutcome{}, Rules: []RuleOutcome{}, Fired: []string{}}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("explain the decision: the policy engine stopped: %v", r)
		}
	}()
	for _, r := range x.Decision.Deny { // to ask again would take as long again
		if r.Rule == ruleEngine && (r.Code == CodePolicyError || r.Code == CodeInputInvalid) {
			return x, errors.New("explain the decision: " + r.Msg)
		}
	}
	f, err := e.lookUp(&in, true)
	if err != nil {
		return x, fmt.Errorf("explain the decision: %w", err)
	}
	x.Total, x.Requester = e.global.Rules, f.requester.name
	for _, s := range f.signers {
		x.Signers = append(x.Signers, s.name)
	}
	for _, fact := range slices.Concat(f.approvals, f.glass) {
		x.Approvals = append(x.Approvals, fact.outcome())
	}
	if x.Rules, x.Fired, err = e.outcomes(ctx, &in, &f, t); err != nil {
		return x, errors.New("explain the decision: " + d.without(err.Error()))
	}
	return x, nil
}

// explainer is the policy compiled with the labels of its rules, which cost a
// decision nothing, and a start something.
type explainer struct {
	decision, explanation rego.PreparedEvalQuery
}

func newExplainer(files []File) (*explainer, error) {
	b := builder{annotated: true}
	compiler, problems := b.compile(files, libraryFilesText())
	if len(problems) > 0 {
		return nil, problems[0]
	}
	decision, deciding := b.prepare(context.Background(), compiler, queryDecision)
	explanation, explaining := b.prepare(context.Background(), compiler, queryExplanation)
	return &explainer{decision, explanation}, errors.Join(deciding, explaining)
}

// outcomes evaluates the policy once more, compiled with its labels.
func (e *Engine) outcomes(ctx context.Context, in *Input, f *facts, t topdown.QueryTracer) ([]RuleOutcome, []string, error) {
	x, err := e.explainer()
	if err != nil {
		return nil, nil, err
	}
	value := inputValue(*in, e.Policy(), f)
	var tracker topdown.EvaluatedRuleTracker
	options := []rego.EvalOption{rego.EvalEvaluatedRuleTracker(&tracker)}
	if t != nil {
		options = append(options, rego.EvalQueryTracer(t))
	}
	var result any
	for _, q := range []*rego.PreparedEvalQuery{&x.decision, &x.explanation} {
		if result, err = e.pool.evaluate(ctx, q, value, options...); err != nil {
			return nil, nil, err
		}
		options = options[:1] // the steps are those of the decision
	}
	outcomes, err := decodeOutcomes(result, f.rules)
	fired := []string{}
	for _, labels := range tracker.Labels {
		if id, ok := labels["id"].(string); ok && !slices.Contains(fired, id) {
			fired = append(fired, id)
		}
	}
	slices.Sort(fired)
	return outcomes, fired, err
}

// decodeOutcomes reads what the library says about each of these rules.
func decodeOutcomes(v any, rules []*rule) ([]RuleOutcome, error) {
	outcomes := []RuleOutcome{}
	encoded, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(encoded, &outcomes)
	}
	if err != nil || len(outcomes) != len(rules) {
		return nil, errors.New("the explanation has an odd shape, or leaves out rules")
	}
	for i := range outcomes {
		outcomes[i].Line = rules[i].Line
	}
	return outcomes, nil
}
