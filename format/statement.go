package format

import (
	"context"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

const statementName = "statement"

// Statement is the format of what is signed about a runbook: approvals, tickets.
// NAME.statement.asc is clear-signed text, NAME.statement is text with an
// Authenticode block of a type of its own. The payload is the text. No runbook is
// of this format, and no other format calls a statement valid.
// docs/formats/statement.md describes it.
type Statement struct {
	// Now is the clock that signatures are dated by; time.Now if nil.
	Now func() time.Time
}

// NewStatement returns the format with the system's clock.
func NewStatement() *Statement { return &Statement{Now: time.Now} }

// Name is "statement".
func (*Statement) Name() string { return statementName }

// Load reads the certificates of the trust store, as Clearsign.Load and
// Authenticode.Load do.
func (*Statement) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	judge, err := loadOpenPGP(statementName, t)
	if err != nil {
		return nil, err
	}
	trust, err := loadAuthenticodeTrust(t, nil)
	if err != nil {
		return nil, err
	}
	return &statementChecker{clearsignChecker{judge}, authenticodeChecker{trust: trust}}, nil
}

// statementChecker verifies statements. It is safe for several goroutines.
type statementChecker struct {
	clearsigned clearsignChecker
	inPlace     authenticodeChecker
}

// Check looks at one statement.
func (c *statementChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (out verifier.Outcome) {
	if rb.Kind() != runbook.Statement {
		return verifier.Outcome{}
	}
	rb.View(func(data []byte) {
		if runbook.PayloadName(rb.Name()) != rb.Name() {
			out = c.clearsigned.examine(rb, data, now)
		} else {
			out = c.signedInPlace(data, now)
		}
	})
	if !out.Claimed {
		return refuse(verifier.Unsigned, verifier.Finding{Code: "statement-unsigned", Detail: "nobody has signed the statement"})
	}
	if out.Verdict != verifier.Valid {
		return out
	}
	if _, err := statement.Parse(out.Payload); err != nil {
		out.Verdict = verifier.Malformed
		out.Findings = append(out.Findings, verifier.Finding{Code: "statement-syntax", Detail: "the statement is not well made: " + err.Error()})
	}
	return out
}

// signedInPlace looks at a text that ends in a block; the payload is the text.
func (c *statementChecker) signedInPlace(data []byte, now time.Time) verifier.Outcome {
	x, claimed := c.inPlace.exam(authscript.StatementStyle(), data, now)
	if !claimed {
		return verifier.Outcome{}
	}
	out := x.outcome()
	for i := range out.Signatures {
		out.Signatures[i].Format = statementName
	}
	out.Payload = nil
	if x.script != nil && x.layoutErr == nil {
		out.Payload = x.script.Unsigned()
	}
	return out
}

// Sign signs the text of a statement under this name, which ends in
// runbook.StatementExt. It returns the signed form and the name of its file. It
// fails as Clearsign.Sign and Authenticode.Sign do.
func (s *Statement) Sign(ctx context.Context, name string, text []byte, key *signer.Key) (signed []byte, file string, err error) {
	rb, err := runbook.Parse(name, text)
	if err != nil {
		return nil, "", err
	}
	if _, err := statement.Parse(text); err != nil || rb.Kind() != runbook.Statement || runbook.PayloadName(name) != name {
		return nil, "", &signer.InputError{Name: name, Msg: "is not a statement"}
	}
	if key.Kind() == signer.KindOpenPGP {
		signed, err = (&Clearsign{Now: s.Now}).clearsign(ctx, rb, key)
		return signed, name + runbook.SignatureExt, err
	}
	script, err := authscript.New(authscript.StatementStyle(), text)
	if err != nil {
		return nil, "", err
	}
	if script.Block, err = (&Authenticode{Now: s.Now}).signScript(ctx, script, key); err != nil {
		return nil, "", err
	}
	return script.Render(), name, nil
}

// refuseStatement makes of a file that is a statement, by its name or its text,
// what it is: no runbook.
func refuseStatement(rb *runbook.Runbook, o verifier.Outcome) verifier.Outcome {
	if rb.Kind() != runbook.Statement && (!o.Claimed || !statement.Is(o.Payload)) {
		return o
	}
	verdict := verifier.WrongPurpose
	if o.Claimed {
		verdict = verifier.Worst(o.Verdict, verdict)
	}
	o.Claimed, o.Verdict = true, verdict
	o.Findings = append(o.Findings, verifier.Finding{
		Code: statementName, Line: 1, Detail: "the file is a statement about a runbook, such as an approval, and no runbook",
		Fix: "writ policy explain --approvals says what statements there are about a runbook, and what they count for",
	})
	return o
}
