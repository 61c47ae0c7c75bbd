package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// The codes that the engine itself gives. The others stand in the library; see
// docs/policy.md.
const (
	CodePolicyError  = "policy-error"  // the policy failed, did not end, or gave an odd answer
	CodeUnspecified  = "unspecified"   // the policy denies without a reason
	CodeInputInvalid = "input-invalid" // the question itself cannot be decided on

	// CodeClock says that the clock is behind the last record of the ledger.
	CodeClock = "clock"

	codeSignature = "signature-not-valid"
	codeStatement = "not-a-runbook"
	codeDenied    = "denied-digest"
	codeClaims    = verifier.CodeContradicts
	codeUserDeny  = "user-deny"
	codeUserWarn  = "user-warn"

	// libraryRules begins the names of the rules of writ itself: no rule of
	// grants.yaml and no package has a "/" in its name.
	libraryRules = "writ/"
	ruleEngine   = libraryRules + "engine"
)

var codeForm = newForm(`^[a-z][a-z0-9-]*$`, 64)

// document is the answer of the policy, its shape checked.
type document struct {
	allow      bool
	deny, warn []Reason
	userDeny   []Reason
	rules      []string
	// exemptions are the IDs of those that hold, lifted the codes of the reasons
	// that the library has left out for them.
	exemptions, lifted []string
	// glass are the digests of the statements that break the glass, and those who
	// answer for it.
	glass, glassApprovers []string
}

// hardReasons are what no policy can lift; they are found without it.
func hardReasons(in *Input, f *facts) []Reason {
	var reasons []Reason
	valid := slices.ContainsFunc(in.vouching(), func(s Signature) bool { return !s.Nested && s.Verdict == string(verifier.Valid) })
	if in.Runbook.Verdict != string(verifier.Valid) || in.Runbook.PayloadSHA256.IsZero() || !valid {
		reasons = append(reasons, Reason{Code: codeSignature, Msg: "the file is not validly signed", Rule: ruleEngine})
	}
	if in.Runbook.Kind == runbook.Statement.String() {
		reasons = append(reasons, Reason{Code: codeStatement, Msg: "a statement about a runbook is never run", Rule: ruleEngine})
	}
	for _, digest := range slices.Sorted(maps.Keys(f.denied)) {
		reasons = append(reasons, Reason{Code: codeDenied, Msg: "sha-256 " + digest + " is denied: " + f.denied[digest], Rule: ruleEngine})
	}
	if slices.ContainsFunc(in.Signatures, in.contradicts) {
		reasons = append(reasons, Reason{Code: codeClaims, Msg: "a valid signature on the file is for a runbook of another name or kind", Rule: ruleEngine})
	}
	return slices.Concat(reasons, staleReasons(in), in.Ticket.reasons(in))
}

// manifestFormat is the format of signatures that stand on the manifest, not on the
// runbook.
const manifestFormat = "manifest"

// vouching are the signatures that cover all that would run. In a project these are
// the manifest's: one that the runbook carries itself says nothing of the files
// that it loads, which somebody else may have put beside it.
func (in *Input) vouching() []Signature {
	if in.Runbook.Manifest == nil {
		return in.Signatures
	}
	return slices.DeleteFunc(slices.Clone(in.Signatures), func(s Signature) bool { return s.Format != manifestFormat })
}

// contradicts says whether a valid signature was made for another runbook.
func (in *Input) contradicts(s Signature) bool {
	c, name, kind := s.Claims, in.Runbook.Name, in.Runbook.Kind
	if in.Runbook.Manifest != nil && s.Format == manifestFormat {
		name, kind = runbook.ManifestName, runbook.Manifest.String()
	}
	return s.Verdict == string(verifier.Valid) && c != nil &&
		(c.Name != "" && c.Name != name || c.Kind != "" && c.Kind != kind)
}

// decodeDocument accepts exactly the shape that the library gives; an answer
// that is not understood whole is an error, and an error denies.
func decodeDocument(v any) (*document, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("the decision is not an object")
	}
	if len(fields) != 8 {
		return nil, fmt.Errorf("the decision has the fields %s: want allow, deny, exemptions, glass, glass_approvers, lifted, rules, user", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	}
	d := &document{}
	if d.allow, ok = fields["allow"].(bool); !ok {
		return nil, errors.New("allow is not true or false")
	}
	for name, list := range map[string]*[]string{
		"rules": &d.rules, "exemptions": &d.exemptions, "lifted": &d.lifted, "glass": &d.glass, "glass_approvers": &d.glassApprovers,
	} {
		if *list, ok = names(fields[name]); !ok {
			return nil, fmt.Errorf("%s is not a list of different names", name)
		}
	}
	deny, ok := fields["deny"].([]any)
	if !ok {
		return nil, errors.New("deny is not a list")
	}
	for _, r := range deny {
		reason, err := decodeReason(r, "", "")
		if err != nil {
			return nil, err
		}
		d.deny = append(d.deny, reason)
	}
	if d.allow && len(d.deny) > 0 {
		return nil, errors.New("the decision allows and denies at once")
	}
	if err := d.addUser(fields["user"]); err != nil {
		return nil, err
	}
	return d, nil
}

// names reads a list of texts of which each is there once.
func names(v any) ([]string, bool) {
	found, ok := v.([]any)
	var list []string
	for _, x := range found {
		name, isText := x.(string)
		ok = ok && isText && !slices.Contains(list, name)
		list = append(list, name)
	}
	return list, ok
}

// addUser takes over what the packages of the user said.
func (d *document) addUser(v any) error {
	packages, ok := v.(map[string]any)
	if !ok {
		return errors.New("the answers of the .rego files are not an object")
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		found, ok := packages[name].(map[string]any)
		if !ok {
			return fmt.Errorf("the answer of %s is not an object", name)
		}
		for _, answer := range slices.Sorted(maps.Keys(found)) {
			reasons, ok := found[answer].([]any)
			if !ok {
				return fmt.Errorf("%s of %s is not a set", answer, name)
			}
			if len(reasons) > maxReasons {
				return fmt.Errorf("%s of %s has %d reasons, the limit is %d", answer, name, len(reasons), maxReasons)
			}
			for _, r := range reasons {
				if err := d.addUserReason(name, answer, r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *document) addUserReason(name, answer string, r any) error {
	switch answer {
	case "deny":
		reason, err := decodeReason(r, codeUserDeny, name)
		d.userDeny = append(d.userDeny, reason)
		return err
	case "warn":
		reason, err := decodeReason(r, codeUserWarn, name)
		d.warn = append(d.warn, reason)
		return err
	default:
		return fmt.Errorf("%s of %s is no answer that is known", answer, name)
	}
}

// decodeReason reads a reason. With a rule given, the reason is a user's: a text,
// or an object with msg and perhaps code and hint.
func decodeReason(v any, code, rule string) (Reason, error) {
	r := Reason{Code: code, Rule: rule}
	if text, ok := v.(string); ok && rule != "" {
		r.Msg = text
		return r, r.problem()
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return Reason{}, fmt.Errorf("a reason of %s is neither a text nor an object", rule)
	}
	for key, value := range fields {
		text, ok := value.(string)
		switch {
		case !ok:
			return Reason{}, fmt.Errorf("%s of a reason of %s is not a text", strictyaml.Clip(key), rule)
		case key == "code":
			r.Code = text
		case key == "msg":
			r.Msg = text
		case key == "hint":
			r.Hint = text
		case key == "rule" && rule == "":
			r.Rule = text
		default:
			return Reason{}, fmt.Errorf("a reason of %s has the unknown field %q", rule, strictyaml.Clip(key))
		}
	}
	return r, r.problem()
}

func (r Reason) problem() error {
	switch {
	case !codeForm.holds(r.Code):
		return fmt.Errorf("a reason of %s has the code %q: want lower-case words joined by -", r.Rule, strictyaml.Clip(r.Code))
	case r.Msg == "" || r.Rule == "":
		return fmt.Errorf("a reason of %s has no msg or no rule", r.Rule)
	case len(r.Msg) > maxText*4 || len(r.Hint) > maxText*4:
		return fmt.Errorf("a reason of %s is too long", r.Rule)
	}
	return nil
}
