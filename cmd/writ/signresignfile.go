package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"

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
	// inPlace and bundles say what the key can make, beside documents.
	inPlace, bundles bool
	// inspector judges files as they are; self the new signatures.
	inspector audit.Inspector
	self      *verifier.Verifier
	// verify judges new signatures in place, and verifyBundle new bundles, which may
	// have to have a timestamp.
	verify, verifyBundle signer.VerifyFunc
	manifests            manifestResigner
	// undated counts the files that lose the time for which somebody else vouches.
	undated atomic.Int64
}

// job is a file that is to be signed anew.
type job struct {
	path  string
	was   *runbook.Runbook // what was judged; nothing else is signed
	forms []form           // one, or the signature in the file and the bundle beside it
	// finishes says that an earlier run has left the bundle, which it could not put in
	// its place.
	finishes bool
}

// form is one signed form to be made.
type form struct {
	source   *runbook.Runbook // what is signed
	path     string           // the file that holds it
	content  runbook.Digest   // of what the signature covers
	document bool             // source lies in no file that counts
	options  signer.Options
}

// do decides on one file, and signs it anew if that is the decision.
func (s *resigner) do(ctx context.Context, path string) render.SignResult {
	result, j := s.decide(ctx, path)
	switch {
	case j != nil:
		return s.act(ctx, j)
	case result.State == render.SignUnchanged && !s.o.check:
		s.sweep(ctx, path)
	}
	return result
}

// decide returns what is to be signed anew, or nil with what becomes of the file.
func (s *resigner) decide(ctx context.Context, path string) (render.SignResult, *job) {
	if isBundleName(path) {
		return render.SignResult{Path: path, State: render.SignLeft, Detail: "there is no file beside it that it could be the bundle of", Fix: "remove it, or put the file back"}, nil
	}
	rb, err := runbook.ReadFileWithSidecars(path, false)
	if err != nil {
		return render.SignResult{Path: path, Err: err}, nil
	}
	report, err := s.inspector.Inspect(ctx, rb)
	if err != nil {
		return render.SignResult{Path: path, Err: err}, nil
	}
	plan := s.rules.Judge(report)
	switch plan.Action {
	case resign.Unchanged:
		return s.unchanged(ctx, path, rb, plan), nil
	case resign.Sign:
		return s.plan(path, rb, plan)
	case resign.Leave:
		return render.SignResult{Path: path, State: render.SignLeft, Detail: plan.Why, Fix: plan.Fix}, nil
	case resign.Refuse:
	}
	if s.key != nil && s.rules.Interrupted(report) {
		if j := s.unfinished(ctx, path, rb); j != nil {
			return render.SignResult{}, j
		}
	}
	return leftAlone(path, plan.Why, plan.Fix), nil
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

// unchanged looks whether the new key's own signatures are good, and have the
// timestamp that is asked for.
func (s *resigner) unchanged(ctx context.Context, path string, rb *runbook.Runbook, plan resign.Plan) render.SignResult {
	var err error
	if plan.Signature != nil {
		_, err = s.verify(ctx, rb)
	}
	if err == nil && plan.Bundle {
		_, err = s.verifyBundle(ctx, rb)
	}
	if err != nil {
		return leftAlone(path, "the new key has signed it, and it is not as it should be: "+err.Error(), "see writ inspect; writ sign --timestamp signs again what has no timestamp")
	}
	return render.SignResult{Path: path, Form: path, State: render.SignUnchanged, Signer: s.key.ID()}
}

// plan says which signatures are to be made, in the formats in which the file is
// signed.
func (s *resigner) plan(path string, rb *runbook.Runbook, plan resign.Plan) (render.SignResult, *job) {
	inside := ""
	if plan.Signature != nil {
		inside = plan.Signature.Format
	}
	switch {
	case plan.Bundle && s.key != nil && !s.bundles:
		return leftAlone(path, "a Sigstore bundle of it is to be made again, which the key cannot do", "use an RSA, P-256 or P-384 key"), nil
	case inside == format.NewClearsign().Name():
		return s.planDocument(path, rb, plan.Signature)
	case inside != "" && inside != format.NewAuthenticode().Name():
		return leftAlone(path, "its signature is of format "+inside+", which is not signed anew", "verify it, and sign it as it was signed"), nil
	case inside != "" && s.key != nil && !s.inPlace:
		return leftAlone(path, "it is signed in place, and the key has no certificate", "give the certificate with --cert"), nil
	}
	j := &job{path: path, was: rb}
	if inside != "" {
		f, ok := s.o.formatNamed(inside).(signer.Stripper)
		if !ok {
			return render.SignResult{Path: path, Err: errors.New("the format cannot tell content from signature")}, nil
		}
		content, err := f.Strip(rb)
		if err != nil {
			return render.SignResult{Path: path, Err: err}, nil
		}
		j.forms = append(j.forms, form{
			source: rb, path: path, content: runbook.DigestOf(content),
			options: signer.Options{Format: f, Key: s.key, Verify: s.verify, Replace: s.o.replace, Only: rb.Digest()},
		})
	}
	if plan.Bundle {
		f, ok := s.o.formatNamed(formatSigstore).(signer.Beside)
		if !ok {
			return render.SignResult{Path: path, Err: errUnknownFormat(formatSigstore)}, nil
		}
		j.forms = append(j.forms, s.bundle(f, path, rb, len(j.forms) > 0))
	}
	return render.SignResult{}, j
}

// planDocument is for the text that the old signature covers; that of a file beside
// it counts only if it is the same.
func (s *resigner) planDocument(path string, rb *runbook.Runbook, old *verifier.Signature) (render.SignResult, *job) {
	claims := claimOptions{}
	if old.Claims != nil {
		claims = claimOptions{version: old.Claims.Version, namespace: old.Claims.Namespace}
	}
	f := format.NewClearsign()
	text, err := f.Content(rb)
	if err != nil {
		return render.SignResult{Path: path, Err: err}, nil
	}
	name := runbook.PayloadName(rb.Name())
	if f.OutputName(name) != rb.Name() {
		return leftAlone(path, "clear-signed text in a file that is not NAME"+runbook.SignatureExt, "give it the name that the signed runbook would have"), nil
	}
	switch source, err := runbook.ReadFile(filepath.Join(filepath.Dir(path), name), false); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return render.SignResult{Path: path, Err: err}, nil
	case source.Digest() != runbook.DigestOf(text):
		return leftAlone(path, "the file "+name+" beside it is other text than was signed", "compare the two; review the file, and sign it as a new one, or put the signed text in its place"), nil
	}
	payload, err := runbook.Parse(name, text)
	if err != nil {
		return render.SignResult{Path: path, Err: err}, nil
	}
	return render.SignResult{}, &job{path: path, was: rb, forms: []form{{
		source: payload, path: path, content: payload.Digest(), document: true,
		options: signer.Options{Format: claims.equip(f), Key: s.key, Verify: verifyBy(s.self, claims), Replace: s.o.replace, Only: rb.Digest()},
	}}}
}

// act signs the file anew or, with --check, says that it would be.
func (s *resigner) act(ctx context.Context, j *job) render.SignResult {
	result := s.sign(ctx, j)
	if result.Err == nil && s.losesTime(j) {
		s.undated.Add(1)
	}
	return result
}

func (s *resigner) sign(ctx context.Context, j *job) render.SignResult {
	first := j.forms[0]
	switch {
	case s.o.check:
		return j.toSign()
	case len(j.forms) > 1:
		var all []signer.Options
		for _, f := range j.forms {
			all = append(all, f.options)
		}
		return unstaged(j.path, j.was, signSeveral(ctx, j.path, all))
	case first.document:
		return first.put(ctx)
	}
	result := signOne(ctx, j.path, first.options)
	if j.finishes && result.Err == nil {
		result.Err = discardStaged(j.path)
	}
	return result
}

// losesTime reports whether a signature that is made anew has a timestamp, or an entry
// of a log, and gets no timestamp. Whose these are is not asked.
func (s *resigner) losesTime(j *job) bool {
	if j.finishes || len(s.o.timestamp.urls) > 0 {
		return false
	}
	return slices.ContainsFunc(j.forms, func(f form) bool {
		if _, inside := f.options.Format.(signer.Stripper); inside {
			return format.NewAuthenticode().CheckStamped(j.was) == nil
		}
		return slices.ContainsFunc(j.was.Sidecars(), func(c runbook.Sidecar) bool {
			stamped, logged := bundleEvidence(c.Data)
			return c.IsBundle() && (stamped || logged)
		})
	})
}

// put signs a document.
func (f form) put(ctx context.Context) render.SignResult {
	outcome, err := signer.SignDocument(ctx, f.path, f.source, f.options)
	outcome.Content = f.content
	return signResult(f.path, render.SignSigned, outcome, f.options.Key, err)
}

func (j *job) toSign() render.SignResult {
	result := render.SignResult{Path: j.path, Form: j.forms[0].path, State: render.SignToSign, Content: j.forms[0].content.String()}
	if len(j.forms) > 1 {
		for _, f := range j.forms {
			result.Forms = append(result.Forms, render.SignForm{Format: f.options.Format.Name(), Path: f.path, State: render.SignToSign})
		}
	}
	return result
}
