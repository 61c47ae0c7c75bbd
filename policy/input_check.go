package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// check refuses an input that no policy can decide on, whoever made it.
func (in *Input) check() error {
	switch {
	case in.Version != InputVersion:
		return &InputError{"version", "want " + InputVersion}
	case in.NowNS <= 0:
		return &InputError{"now_ns", "is missing"}
	case in.Runbook.Name == "" || len(in.Runbook.Name) > maxText:
		return &InputError{"runbook.name", "is missing or too long"}
	case in.Runbook.SHA256.IsZero():
		return &InputError{"runbook.sha256", "is missing"}
	case len(in.Runbook.Kind) > maxName || len(in.Runbook.Verdict) > maxName:
		return &InputError{"runbook", "a word is too long"}
	case in.Runbook.Manifest != nil && in.Runbook.Manifest.problem() != "":
		return &InputError{"runbook.manifest", in.Runbook.Manifest.problem()}
	case !isVerdict(in.Runbook.Verdict):
		return &InputError{"runbook.verdict", fmt.Sprintf("%q is no verdict", in.Runbook.Verdict)}
	case in.Runbook.Size < 0:
		return &InputError{"runbook.size", "is below zero"}
	}
	if bad := pathProblem(in.Runbook.Path); bad != "" {
		return &InputError{"runbook.path", bad}
	}
	if err := in.checkFacts(); err != nil {
		return err
	}
	if err := in.checkJob(); err != nil {
		return err
	}
	if err := in.checkApprovals(); err != nil {
		return err
	}
	if err := in.checkParameters(); err != nil {
		return err
	}
	return in.checkAsker()
}

func (m *Manifest) problem() string {
	if m.DocumentSHA256.IsZero() || m.Files < 1 || m.Files > runbook.MaxMembers {
		return "has no digest, or an odd number of files"
	}
	if bad := pathProblem(m.Entry); bad != "" {
		return "entry " + bad
	}
	return ""
}

// checkFacts bounds what comes from the file.
func (in *Input) checkFacts() error {
	if len(in.Signatures) > maxSignatures {
		return &InputError{"signatures", fmt.Sprintf("%d are too many, the limit is %d", len(in.Signatures), maxSignatures)}
	}
	for i, s := range in.Signatures {
		texts := []string{s.Format, s.Verdict, s.SignedAtSource, s.Digest, s.Signer.Display, s.Signer.Issuer, s.Signer.KeyID, s.Signer.Algorithm}
		texts = append(texts, s.Signer.IDs...)
		texts = append(texts, s.NotPassed...)
		if c := s.Sigstore; c != nil {
			if c.Issuer == "" || c.SAN == "" {
				return &InputError{fmt.Sprintf("signatures[%d].sigstore", i), "has no issuer or no san"}
			}
			texts = append(texts, c.Issuer, c.SAN, c.SANKind, c.SourceRepository, c.SourceRef, c.SourceDigest, c.Workflow, c.Trigger)
		}
		if !isVerdict(s.Verdict) || s.SignedAtNS < 0 || s.Signer.NotAfterNS < 0 {
			return &InputError{fmt.Sprintf("signatures[%d]", i), "has an unknown verdict, or a time below zero"}
		}
		if len(s.Signer.IDs) > maxIDs || len(s.NotPassed) > len(verifier.CheckIDs())*2 || tooLong(texts) {
			return &InputError{fmt.Sprintf("signatures[%d]", i), "is larger than the limits"}
		}
		if s.Claims != nil {
			if bad := s.Claims.Problem(); bad != "" {
				return &InputError{fmt.Sprintf("signatures[%d].claims", i), bad}
			}
		}
	}
	if len(in.Findings) > maxFindings {
		return &InputError{"findings", fmt.Sprintf("%d are too many, the limit is %d", len(in.Findings), maxFindings)}
	}
	for i, f := range in.Findings {
		if tooLong([]string{f.Code, f.Detail}) {
			return &InputError{fmt.Sprintf("findings[%d]", i), "is larger than the limits"}
		}
	}
	return nil
}

// decidable refuses an input that no decision can be made on, also as a record.
func (in *Input) decidable() error {
	if err := in.check(); err != nil {
		return err
	}
	if len(in.Redacted) > 0 {
		return &InputError{"redacted", "the values of secret or large parameters were left out: it cannot be decided on again"}
	}
	return nil
}

// checkParameters repeats for a decoded input what checkArguments did.
func (in *Input) checkParameters() error {
	if len(in.Parameters) > MaxArguments {
		return &InputError{"parameters", "are too many"}
	}
	total := 0
	for name, value := range in.Parameters {
		total += len(name) + len(value)
		if !parameterForm.holds(name) && !positionForm.holds(name) {
			return &InputError{"parameters", fmt.Sprintf("%q is not the name of a parameter", strictyaml.Clip(strings.ToValidUTF8(name, "?")))}
		}
		if bad := textProblem(value, MaxArgument); bad != "" {
			return &InputError{"parameters." + name, "the value " + bad}
		}
	}
	if total > maxArgumentsSize {
		return &InputError{"parameters", "are too large"}
	}
	for i, name := range in.Redacted {
		if value, given := in.Parameters[name]; !given || value != "" || i > 0 && name <= in.Redacted[i-1] {
			return &InputError{"redacted", "names something else than parameters without a value, in their order"}
		}
	}
	return nil
}

// checkAsker bounds who asks and where the runbook would run.
func (in *Input) checkAsker() error {
	c, w := &in.Caller, &in.Worker
	switch {
	case c.Kind == "" || c.ID == "":
		return &InputError{"caller", "kind or id is missing"}
	case len(c.Groups) > maxGroups || len(c.Roles) > maxGroups:
		return &InputError{"caller.groups", "are too many"}
	case c.Token != nil && c.Token.problem() != "":
		return &InputError{"caller.token", c.Token.problem()}
	case len(w.Labels) > maxLabels:
		return &InputError{"worker.labels", "are too many"}
	}
	texts := []string{c.Kind, c.ID, c.Issuer, c.Display, c.Assurance, w.ID, w.Group, w.OS, w.Identity, w.Assurance}
	texts = append(texts, c.Groups...)
	texts = append(texts, c.Roles...)
	for name, value := range w.Labels {
		texts = append(texts, name, value)
	}
	for _, s := range texts {
		if bad := textProblem(s, maxText); bad != "" {
			return &InputError{"caller or worker", fmt.Sprintf("%q %s", strictyaml.Clip(strings.ToValidUTF8(s, "?")), bad)}
		}
	}
	return nil
}

func tooLong(texts []string) bool {
	for _, s := range texts {
		if len(s) > maxText {
			return true
		}
	}
	return false
}

func isVerdict(word string) bool {
	return slices.ContainsFunc(verifier.Verdicts(), func(v verifier.Verdict) bool { return v.String() == word })
}
