package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// signMode says what becomes of the signatures that a file carries already.
type signMode struct{ append, remove, replace bool }

func (m *signMode) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&m.append, "append", false, "add a signature to a signed file that --trust, --ca or --keyring finds valid")
	f.BoolVar(&m.remove, "remove", false, "take the signature block off files")
	f.BoolVar(&m.replace, "replace", false, "sign signed files anew; the signatures of others go too")
}

func (o *signOptions) validateMode() error {
	modes := 0
	for _, on := range []bool{o.append, o.remove, o.replace, o.check} {
		if on {
			modes++
		}
	}
	switch {
	case modes > 1:
		return usagef("--append, --remove, --replace and --check exclude each other")
	case o.remove && o.format == "clearsign":
		return usagef("--remove is for signatures inside a file: a clear-signed document is a file of its own")
	case o.append && !o.trust.given():
		return usagef("--append needs to know by whom the first signature must be: --trust, --ca or --keyring")
	case o.remove && (o.key != "" || o.cert != "" || o.force || o.trust.given()):
		return usagef("--remove takes no key, no trust and no --force")
	case o.replace && o.force:
		return usagef("--replace signs anew in any case: --force adds nothing to it")
	}
	return nil
}

// appendVerify returns the two judgements of a file to which a signature is
// added: before by the trust of the user alone; after by the same, and by the key
// for its own signature.
func (o *signOptions) appendVerify(self *verifier.TrustStore, formats ...verifier.Format) (before, after signer.VerifyFunc, err error) {
	trust, err := o.trust.load(false)
	if err != nil {
		return nil, nil, err
	}
	if before, err = verifyWith(trust, o.claims, formats...); err != nil {
		return nil, nil, err
	}
	own, err := verifier.New(self, verifier.Options{Formats: formats})
	if err != nil {
		return nil, nil, noAnswer(err)
	}
	after = func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		v, err := before(ctx, rb)
		if err != nil {
			return nil, err
		}
		report, err := own.Inspect(ctx, rb)
		if err != nil {
			return nil, err
		}
		if o.timestamp.demanded() && len(self.Files(verifier.RoomTSA)) > 0 && !lastIsStamped(report) {
			return nil, fmt.Errorf("%q: the timestamp is by none of the trusted authorities%s", rb.Name(), timestampDetail(report))
		}
		v.Signers, v.Otherwise = o.claims.signersOf(report)
		return v, nil
	}
	return before, after, nil
}

// lastIsStamped reports whether the signature that was added last has a timestamp
// by a trusted authority.
func lastIsStamped(r *verifier.Report) bool {
	n := len(r.Signatures)
	return n > 0 && r.Signatures[n-1].SignedAtSource == verifier.TimeTSA
}

func appendOne(ctx context.Context, path string, f signer.Format, o signer.AppendOptions) render.SignResult {
	var ok bool
	if o.Format, ok = f.(signer.Appender); !ok {
		return render.SignResult{Path: path, Err: usagef("a file has room for one signature of format %s", f.Name())}
	}
	outcome, err := signer.AppendFile(ctx, path, o)
	return signResult(path, render.SignSigned, outcome, o.Key, err)
}

func (a *app) runUnsign(ctx context.Context, o *signOptions, r render.Judged) error {
	inspector, err := verifier.NewInspector(verifier.Options{Formats: verifyFormats()})
	if err != nil {
		return noAnswer(err)
	}
	check := func(ctx context.Context, rb *runbook.Runbook) error {
		report, err := inspector.Inspect(ctx, rb)
		if err == nil && report.Verdict != verifier.Unsigned {
			err = fmt.Errorf("what would be left is %s", report.Verdict)
		}
		return err
	}
	files, err := a.filesToSign(o, nil)
	if err != nil {
		return err
	}
	all, err := a.forEach(ctx, o, r, nil, files, func(ctx context.Context, path string) render.SignResult {
		outcome, err := signer.UnsignFile(ctx, path, format.NewAuthenticode(), check)
		return signResult(path, render.SignRemoved, outcome, nil, err)
	})
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return no("there is no runbook that could carry a signature block")
	}
	return a.answerOnSigning(ctx, o, all, "have not lost their signatures")
}
