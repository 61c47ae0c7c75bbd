package verifier

import (
	"fmt"
	"slices"
)

// answers are what the formats make of one file.
type answers struct {
	own, beside []answer
	joining     []answer // beside, and judged together with the others
	capable     bool
	findings    []Finding // of the formats that do not claim the file
}

type answer struct {
	format string
	Outcome
}

func (a *answers) add(format string, o Outcome) {
	switch {
	case !o.Claimed:
		a.capable = a.capable || o.Capable
		a.findings = append(a.findings, o.Findings...)
	case o.Beside && o.Joins:
		a.joining = append(a.joining, answer{format, o})
	case o.Beside:
		a.beside = append(a.beside, answer{format, o})
	default:
		a.own = append(a.own, answer{format, o})
	}
}

// settle decides which format the file is of, and has the report take over what
// that one says. A signature beside the file counts only where nothing inside of
// it claims to be one, or together with that: otherwise whoever can put a file
// into the folder could hide what a file says of itself.
func (a *answers) settle(r *Report) Outcome {
	all := a.own
	if len(all) == 0 {
		all = a.beside
	}
	others := all[min(1, len(all)):]
	all = slices.Concat(all[:len(all)-len(others)], a.joining)
	if len(all) == 0 {
		r.Findings = append(r.Findings, a.findings...)
		r.Verdict = Unsigned
		if !a.capable {
			r.Verdict = Unsupported
			r.Findings = append(r.Findings, Finding{
				Code: codeFileType, Detail: "the name says of no runbook type that writ knows, and the file is not clear-signed text",
			})
		}
		return Outcome{}
	}
	claim := r.judgeTogether(all)
	for _, other := range others {
		r.refuseSecondFormat(other.format)
	}
	for _, one := range slices.Concat(all, others) {
		r.Findings = append(r.Findings, one.Findings...)
	}
	r.Findings = append(r.Findings, a.findings...)
	if len(a.own) > 0 && len(a.beside) > 0 {
		r.Findings = append(r.Findings, Finding{
			Code:   "sidecar-not-used",
			Detail: "a signature lies beside the file too; what is inside of the file decides, and the other one was not judged",
		})
	}
	return claim
}

// judgeTogether takes over the outcomes, and returns the one that the file is of:
// the first valid one, where one of them is.
func (r *Report) judgeTogether(all []answer) Outcome {
	verdicts := make([]Verdict, len(all))
	for i, one := range all {
		verdicts[i] = r.judge(one.Outcome)
	}
	claim := max(slices.Index(verdicts, Valid), 0)
	r.Verdict = verdicts[claim]
	for _, v := range verdicts {
		if v == Untrusted && verdicts[claim] == Valid {
			continue
		}
		r.Verdict = Worst(r.Verdict, v)
	}
	if r.Verdict != Damaged {
		r.Repair = ""
	}
	r.Format = all[claim].format
	return all[claim].Outcome
}

// refuseSecondFormat: a file that is of two formats at once is read differently
// by different tools, so it is neither.
func (r *Report) refuseSecondFormat(name string) {
	r.Verdict = Malformed
	r.Findings = append(r.Findings, Finding{
		Code:   "two-formats",
		Detail: fmt.Sprintf("the file carries a signature of format %s and one of format %s", r.Format, name),
		Fix:    "keep one of the two signatures: sign the clean source again in one format",
	})
}
