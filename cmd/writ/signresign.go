package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// resignOptions say whose files are signed anew.
type resignOptions struct {
	on     bool
	old    string
	before string
	// id is that of the old signer, once it is known.
	id string
}

func (o *resignOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "resign", false, "sign anew what the signer of --if-signer has signed, and nothing else")
	f.StringVar(&o.old, "if-signer", "", "with --resign: the old signer, an `ID` as policies name it or a file with the certificate")
	f.StringVar(&o.before, "signed-before", "", "with --resign: only what a trusted timestamp proves to be older than this `time` (RFC 3339)")
}

func (o *signOptions) validateResign() error {
	r := o.resign
	switch {
	case !r.on && (r.old != "" || r.before != ""):
		return usagef("--if-signer and --signed-before are for --resign")
	case !r.on:
		return nil
	case r.old == "":
		return usagef("--resign needs to know whose signatures are to be replaced: --if-signer ID or FILE")
	case o.append || o.remove || o.force:
		return usagef("--resign, --append, --remove and --force exclude each other")
	case o.format != "auto" || o.normalize || o.addBOM || o.profile != "" || o.claims.given():
		return usagef("--resign keeps format, text and claims as they are: not with --format, --normalize, --add-bom, --profile, --runbook-version or --namespace")
	case r.before != "" && o.trust.dir == "" && len(o.trust.tsas) == 0:
		return usagef("--signed-before needs to know whose timestamps count: --trust or --tsa")
	}
	if _, err := r.time(); err != nil {
		return err
	}
	return nil
}

func (o *resignOptions) time() (time.Time, error) {
	if o.before == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, o.before)
	if err != nil {
		return t, usagef("--signed-before %q: want a time such as 2026-01-31T12:00:00Z", o.before)
	}
	return t, nil
}

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

func (a *app) runResign(ctx context.Context, o *signOptions, r signWriter) error {
	s, err := a.newResigner(ctx, o)
	if err != nil {
		return err
	}
	files, err := a.filesToResign(o.paths)
	if err != nil {
		return err
	}
	if s.rules.Before.IsZero() {
		a.note("whoever had the key of %s can have signed these files: if others may have had it, use --signed-before, or review them", s.rules.Old)
	}
	all, err := a.forEach(ctx, o, r, s.key, files, s.do)
	if err != nil {
		return err
	}
	done, open := all.Count(render.SignSigned)+all.Count(render.SignUnchanged), all.Count(render.SignToSign)
	bad := len(all.Failures()) + all.Count(render.SignNotReached)
	switch {
	case bad > 0:
		return a.answerOnSigning(ctx, o, all, "need attention: they are not signed anew")
	case open > 0:
		return no("%d of %d files are to be signed anew", open, len(files))
	case done == 0:
		return no("%s has signed none of %d files", s.rules.Old, len(files))
	}
	return nil
}

func (a *app) newResigner(ctx context.Context, o *signOptions) (*resigner, error) {
	before, err := o.resign.time()
	if err != nil {
		return nil, err
	}
	old, files, err := o.oldSigner()
	if err != nil {
		return nil, err
	}
	o.resign.id = old
	s := &resigner{o: o, rules: resign.Rules{Old: old, Before: before, Replace: o.replace}}
	if strings.HasPrefix(old, "openpgp:") && !before.IsZero() {
		return nil, usagef("--signed-before: clear-signed text has no place for a timestamp, so that nothing proves its age")
	}
	if o.trust.given() {
		trust, err := o.trust.load(false)
		if err != nil {
			return nil, err
		}
		files = append(files, trust.All()...)
	} else if files, err = o.timestampAnchors(files); err != nil {
		return nil, err
	}
	if o.key != "" {
		if files, err = s.open(ctx, a, files); err != nil {
			return nil, err
		}
	}
	s.inspector, err = a.inspectorOf(files)
	return s, err
}

// timestampAnchors adds the authorities of --tsa, where no other trust is given.
func (o *signOptions) timestampAnchors(files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	tsas, err := o.timestamp.anchors(o.trust.tsas)
	return append(files, tsas...), err
}

// oldSigner returns the ID of the signer, and the certificate that a verifier needs
// to check the signatures.
func (o *signOptions) oldSigner() (string, []verifier.TrustFile, error) {
	old := o.resign.old
	if resign.IsID(old) {
		if strings.HasPrefix(old, "openpgp:") && !o.trust.given() {
			return "", nil, usagef("an OpenPGP signature cannot be checked without the certificate: --if-signer FILE, --keyring FILE or --trust DIR")
		}
		return old, nil, nil
	}
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return "", nil, usagef("--if-signer %q is neither a file nor an ID, such as x509-sha256:, x509-spki: or openpgp: with its digest", old)
	}
	file, err := verifier.ReadTrustFile(old, verifier.RoomOpenPGP, verifier.TrustOptions{})
	if err != nil {
		return "", nil, noAnswer(err)
	}
	c, err := resign.ReadCertificate(old, file.Data)
	if err != nil {
		return "", nil, usageError{err}
	}
	if !c.OpenPGP {
		return c.ID, nil, nil
	}
	return c.ID, []verifier.TrustFile{file}, nil
}

// open opens the new key, and adds its own public half to the trust.
func (s *resigner) open(ctx context.Context, a *app, files []verifier.TrustFile) ([]verifier.TrustFile, error) {
	key, self, err := a.openKey(ctx, s.o)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(key.IDs(), s.rules.Old): // by its certificate, or by its public key
		return nil, usagef("the key is that of %s itself: to sign anew with the same key, use --force", s.rules.Old)
	case (key.Kind() == signer.KindOpenPGP) != strings.HasPrefix(s.rules.Old, "openpgp:"):
		return nil, usagef("the format of each file is kept, and the key cannot make signatures of the kind of %s", s.rules.Old)
	}
	if err := s.o.timestamp.fitsKey(key); err != nil {
		return nil, err
	}
	if err := s.o.timestamp.open(a); err != nil {
		return nil, err
	}
	s.key, s.rules.New = key, key.ID()
	own := self.All()
	for _, f := range files { // what is denied stays denied, whoever signs it
		if f.Room == verifier.RoomDeny {
			own = append(own, f)
		}
	}
	if self, err = verifier.NewTrust(own...); err != nil {
		return nil, noAnswer(err)
	}
	if s.self, err = newVerifier(self, nil); err != nil {
		return nil, noAnswer(err)
	}
	s.verify, err = s.o.wantStamped(verifyBy(s.self, claimOptions{}), self)
	for _, f := range self.Files(anchorRoom(key)) {
		f.Store = "new key" // no rules of the user's stores are about it
		files = append(files, f)
	}
	return files, err
}

// inspectorOf judges by these files, or without any trust where no signer is among
// them.
func (a *app) inspectorOf(files []verifier.TrustFile) (audit.Inspector, error) {
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		return nil, noAnswer(err)
	}
	v, err := newVerifier(trust, nil)
	if errors.Is(err, verifier.ErrNoTrust) {
		return verifier.NewInspector(verifier.Options{Formats: verifyFormats()})
	}
	if err != nil {
		return nil, noAnswer(err)
	}
	a.tellLeftOut(v)
	return v, nil
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

// filesToResign lists files as they are given, and of folders all that can be signed:
// a document stands for the source beside it too, unless that can carry a signature
// itself.
func (a *app) filesToResign(paths []string) ([]string, error) {
	var files []string
	known := fileSet{}
	for _, root := range paths {
		if root == "" || root == "-" {
			return nil, usagef("sign needs files or folders, not %q", root)
		}
		found := []string{root}
		if info, err := os.Lstat(root); err == nil && info.IsDir() {
			if found, err = a.signableIn(root); err != nil {
				return nil, noAnswer(err)
			}
		} else if isSourceOfDocument(root) {
			found[0] += runbook.SignatureExt
		}
		files = append(files, slices.DeleteFunc(found, func(path string) bool { return !known.add(path) })...)
	}
	return files, nil
}

// signableIn lists what in a folder may be signed.
func (a *app) signableIn(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir(), runbook.KindOf(d.Name()) == runbook.Unknown, runbook.IsSidecarName(path) && !isClearSigned(path), isSourceOfDocument(path):
		case !d.Type().IsRegular():
			a.note("%q is left out: not a regular file", path)
		default:
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// isSourceOfDocument says that the file is signed in a document beside it, and
// carries no signature itself.
func isSourceOfDocument(path string) bool {
	return !isDocument(path) && !format.CarriesAuthenticode(path) && isClearSigned(path+runbook.SignatureExt)
}

// isClearSigned says whether a file is a document by its name and its beginning.
func isClearSigned(path string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || !isDocument(path) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return true // whoever reads it says why it cannot be read
	}
	defer func() { _ = f.Close() }() // opened for reading only
	const begin = "-----BEGIN PGP SIGNED MESSAGE-----"
	head := make([]byte, len(begin))
	n, _ := f.Read(head)
	return string(head[:n]) == begin
}
