package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// resigner signs anew what the rules allow.
type resigner struct {
	o     *signOptions
	rules resign.Rules
	key   *signer.Key // nil where nothing is to be written
	// inspector judges files as they are; self the new signatures.
	inspector audit.Inspector
	self      *verifier.Verifier
	// verify judges new signatures in place, which may have to have a timestamp.
	verify signer.VerifyFunc
}

// do decides on one file, and signs it anew if that is the decision.
func (s *resigner) do(ctx context.Context, path string) render.SignResult {
	rb, err := runbook.ReadFileWithSidecars(path, false)
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	report, err := s.inspector.Inspect(ctx, rb)
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	plan := s.rules.Judge(report)
	switch plan.Action {
	case resign.Unchanged:
		return s.unchanged(ctx, path, rb)
	case resign.Sign:
		return s.signAnew(ctx, path, rb, plan.Signature)
	case resign.Leave:
		return render.SignResult{Path: path, State: render.SignLeft, Detail: plan.Why, Fix: plan.Fix}
	case resign.Refuse:
	}
	return leftAlone(path, plan.Why, plan.Fix)
}

// leftAlone is what becomes of a file that is not signed anew, and that somebody
// should look at.
func leftAlone(path, why, fix string) render.SignResult {
	e := no("%q is left alone: %s", path, why)
	if fix != "" {
		e = e.hint("%s", fix)
	}
	return render.SignResult{Path: path, State: render.SignLeft, Detail: why, Fix: fix, Err: e}
}

// unchanged looks whether the new key's own signature is good.
func (s *resigner) unchanged(ctx context.Context, path string, rb *runbook.Runbook) render.SignResult {
	if _, err := verifyBy(s.self, claimOptions{})(ctx, rb); err != nil {
		return leftAlone(path, "the new key has signed it, and it is not valid: "+err.Error(), "see writ inspect")
	}
	return render.SignResult{Path: path, Form: path, State: render.SignUnchanged, Signer: s.key.ID()}
}

// signAnew signs the file in the format in which it is signed.
func (s *resigner) signAnew(ctx context.Context, path string, rb *runbook.Runbook, old *verifier.Signature) render.SignResult {
	switch old.Format {
	case format.NewAuthenticode().Name():
		return s.signInPlace(ctx, path, rb)
	case format.NewClearsign().Name():
		return s.signDocument(ctx, path, rb, old)
	}
	return leftAlone(path, "its signature is of format "+old.Format+", which is not signed anew", "verify it, and sign it as it was signed; a Sigstore bundle with writ sign --format sigstore --force")
}

func (s *resigner) signInPlace(ctx context.Context, path string, rb *runbook.Runbook) render.SignResult {
	f, ok := s.o.formatNamed(format.NewAuthenticode().Name()).(signer.Stripper)
	if !ok {
		return render.SignResult{Path: path, Err: errors.New("the format cannot tell content from signature")}
	}
	if s.o.check {
		content, err := f.Strip(rb)
		return s.toSign(path, content, err)
	}
	outcome, err := signer.SignFile(ctx, path, signer.Options{Format: f, Key: s.key, Verify: s.verify, Replace: s.o.replace, Only: rb.Digest()})
	return signResult(path, render.SignSigned, outcome, s.key, err)
}

// signDocument signs the text that the old signature covers; that of a file beside
// it only if it is the same.
func (s *resigner) signDocument(ctx context.Context, path string, rb *runbook.Runbook, old *verifier.Signature) render.SignResult {
	claims := claimOptions{}
	if old.Claims != nil {
		claims = claimOptions{version: old.Claims.Version, namespace: old.Claims.Namespace}
	}
	f := format.NewClearsign()
	text, err := f.Content(rb)
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	name := runbook.PayloadName(rb.Name())
	if f.OutputName(name) != rb.Name() {
		return leftAlone(path, "clear-signed text in a file that is not NAME"+runbook.SignatureExt, "give it the name that the signed runbook would have")
	}
	switch source, err := runbook.ReadFile(filepath.Join(filepath.Dir(path), name), false); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return render.SignResult{Path: path, Err: err}
	case source.Digest() != runbook.DigestOf(text):
		return leftAlone(path, "the file "+name+" beside it is other text than was signed", "compare the two; review the file, and sign it as a new one, or put the signed text in its place")
	}
	if s.o.check {
		return s.toSign(path, text, nil)
	}
	payload, err := runbook.Parse(name, text)
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	outcome, err := signer.SignDocument(ctx, path, payload, signer.Options{
		Format: claims.equip(f), Key: s.key, Verify: verifyBy(s.self, claims), Replace: s.o.replace, Only: rb.Digest(),
	})
	outcome.Content = payload.Digest()
	return signResult(path, render.SignSigned, outcome, s.key, err)
}

func (s *resigner) toSign(path string, content []byte, err error) render.SignResult {
	if err != nil {
		return render.SignResult{Path: path, Err: err}
	}
	return render.SignResult{Path: path, Form: path, State: render.SignToSign, Content: runbook.DigestOf(content).String()}
}
