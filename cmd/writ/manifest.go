package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func newManifestCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Sign a folder of runbooks as a whole, and say what changed in it since",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ manifest --help") },
	}
	cmd.AddCommand(newManifestSignCmd(a), newManifestVerifyCmd(a))
	return cmd
}

type manifestSignOptions struct {
	key signOptions
	dir string
}

func newManifestSignCmd(a *app) *cobra.Command {
	o := &manifestSignOptions{}
	cmd := &cobra.Command{
		Use:   "sign DIR",
		Short: "List every file of a folder, and sign the list as DIR/" + manifest.Name,
		Long: `List every file of a folder with its digest and mode, and sign the list, clear-signed,
as DIR/` + manifest.Name + `. Everything is listed but git's own folder; links, devices
and names that mean something else on another system are refused.

Use it where the author or a protected pipeline signs a project: runbooks with the
files that they source or import. It says what changed since the last manifest.

With --append the list stays as it is, and gets one more signature: only if it is
valid by --trust, and the folder is as it says.

Exit codes: 0 signed, 1 the folder cannot be listed or the list not signed, 2 the
question is malformed or the key does not fit, 3 a file cannot be read or written.`,
		Example: `  writ manifest sign --key signer.key.asc project
  writ manifest sign --key signer.key.asc --passphrase-file passphrase.txt project
  writ manifest sign --append --trust trust --key second.key.asc project`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runManifestSign(cmd.Context(), o)
		},
	}
	o.key.addKeyTo(cmd)
	o.key.claims.addTo(cmd)
	o.key.trust.addTo(cmd)
	cmd.Flags().BoolVar(&o.key.append, "append", false, "add a signature to the manifest, if --trust, --ca or --keyring finds it valid and the folder is as it says")
	cmd.Flags().BoolVar(&o.key.replace, "replace", false, "list and sign anew; the signatures of others go too")
	cmd.Flags().BoolVar(&o.key.force, "force", false, "sign again what this key has signed already, and replace a manifest that is no signed text")
	return cmd
}

func (a *app) runManifestSign(ctx context.Context, o *manifestSignOptions) error {
	switch {
	case o.dir == "" || o.dir == "-":
		return usagef("manifest needs a folder, not %q", o.dir)
	case o.key.key == "":
		return usagef("no key given: --key FILE, or --key gpg:FINGERPRINT")
	}
	if err := o.key.passphrase.validate(); err != nil {
		return err
	}
	if err := o.key.validateMode(); err != nil {
		return err
	}
	if !o.key.append && o.key.trust.given() {
		return usagef("--trust, --ca and --keyring say by whom a manifest must be to which --append adds a signature")
	}
	if err := o.key.validateClaims(); err != nil {
		return err
	}
	key, trust, err := a.openKey(ctx, &o.key)
	if err != nil {
		return err
	}
	if key.Kind() != signer.KindOpenPGP {
		return usagef("a manifest is signed with an OpenPGP key, and %s is another; a key in a KMS is one with its OpenPGP certificate in --cert", o.key.key)
	}
	if o.key.append {
		return a.appendToManifest(ctx, o, key, trust)
	}
	verify, err := verifyWith(trust, o.key.claims, format.NewManifestDocument())
	if err != nil {
		return err
	}
	list, err := collect(ctx, o.dir)
	if err != nil {
		return err
	}
	rb, err := runbook.Parse(runbook.ManifestName, list.Render())
	if err != nil {
		return err
	}
	path := filepath.Join(o.dir, manifest.Name)
	before := listBefore(ctx, path, verify)
	outcome, err := signer.SignDocument(ctx, path, rb, signer.Options{
		Format: o.key.formatNamed("clearsign"), Key: key, Verify: verify, Force: o.key.force, Replace: o.key.replace,
	})
	if err != nil {
		return err
	}
	if err := render.Changes(a.stdout, list.Since(before)); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return a.sayOutcome("signed", outcome, nil)
}

// appendToManifest puts one more name to a list: only to one that those whom the
// user trusts have signed, and that the folder keeps to.
func (a *app) appendToManifest(ctx context.Context, o *manifestSignOptions, key *signer.Key, self *verifier.TrustStore) error {
	before, after, err := o.key.appendVerify(self, format.NewManifestDocument())
	if err != nil {
		return err
	}
	trust, err := o.key.trust.load(false)
	if err != nil {
		return err
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewManifestDocument()}})
	if err != nil {
		return noAnswer(err)
	}
	project, err := compareProject(ctx, v, o.dir)
	if err != nil {
		return err
	}
	if err := answerOf(project); err != nil {
		if shown := render.Changes(a.stdout, project.Drift); shown != nil {
			return noAnswer(fmt.Errorf("write the result: %w", shown))
		}
		return err
	}
	compared := func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		if rb.Digest() != project.Manifest.Report.File {
			return nil, errors.New("it was replaced meanwhile")
		}
		return before(ctx, rb)
	}
	appender, ok := o.key.formatNamed("clearsign").(signer.Appender)
	if !ok {
		return noAnswer(errors.New("a manifest has room for one signature"))
	}
	outcome, err := signer.AppendFile(ctx, project.Manifest.Path, signer.AppendOptions{
		Format: appender, Key: key, Before: compared, After: after, Force: o.key.force,
	})
	return a.sayOutcome("signed", outcome, err)
}

// collect lists a folder.
func collect(ctx context.Context, dir string) (*manifest.List, error) {
	tree, err := manifest.Open(dir)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer func() { _ = tree.Close() }() // opened for reading only
	list, err := manifest.Collect(ctx, tree)
	var syntax *manifest.SyntaxError
	var limit *manifest.LimitError
	switch {
	case errors.As(err, &syntax), errors.As(err, &limit):
		return nil, no("%q cannot be signed as a whole: %w", dir, err)
	case err != nil:
		return nil, noAnswer(err)
	}
	return list, nil
}

// listBefore is the list of the manifest that is there, nil if this key has signed
// none: what another one wrote is not shown as what was signed before.
func listBefore(ctx context.Context, path string, verify signer.VerifyFunc) *manifest.List {
	rb, err := runbook.ReadFile(path, false)
	if err != nil {
		return nil
	}
	v, err := verify(ctx, rb)
	if err != nil {
		return nil
	}
	list, err := manifest.Parse(v.Payload)
	if err != nil {
		return nil
	}
	return list
}

type manifestVerifyOptions struct {
	trust  trustOptions
	clock  clockOption
	output output
	dir    string
}

func newManifestVerifyCmd(a *app) *cobra.Command {
	o := &manifestVerifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Verify the manifest of a folder, and name each file that is not as it is listed",
		Long: `Verify the signature of DIR/` + manifest.Name + ` against a trust store that you
name, and compare the folder with the list: files that are changed, added, missing,
or of another mode. Nothing of a manifest that is not valid is believed or shown.

Use it after a deployment, and in scripts that watch a folder.

Exit codes: 0 the manifest is valid and the folder is as it says, 1 it is not,
2 the question is malformed (no trust given, too), 3 something cannot be read.`,
		Example: `  writ manifest verify --trust trust project
  writ manifest verify --keyring admins.asc -o json project`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runManifestVerify(cmd.Context(), o)
		},
	}
	o.trust.addTo(cmd)
	o.clock.addTo(cmd)
	o.output.addTo(cmd)
	return cmd
}

func (a *app) runManifestVerify(ctx context.Context, o *manifestVerifyOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if o.dir == "" || o.dir == "-" {
		return usagef("manifest needs a folder, not %q", o.dir)
	}
	now, err := o.clock.clock()
	if err != nil {
		return err
	}
	trust, err := o.trust.load(false)
	if err != nil {
		return err
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewManifestDocument()}, Now: now})
	if err != nil {
		return noAnswer(err)
	}
	a.tellLeftOut(v)
	project, err := compareProject(ctx, v, o.dir)
	if err != nil {
		return err
	}
	if err := r.Project(a.stdout, project); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return answerOf(project)
}

// answerOf is no unless the manifest is valid and the folder as it says.
func answerOf(p render.Project) error {
	switch said := contradiction(p.Manifest.Report); {
	case p.Manifest.Report.Verdict != verifier.Valid:
		return no("%q is %s", p.Manifest.Path, p.Manifest.Report.Verdict)
	case said != nil:
		return no("%w", said)
	case !p.AsSigned():
		return no("%q is not as it was signed: files that differ: %d", p.Dir, len(p.Drift))
	}
	return nil
}

// compareProject verifies the manifest of a folder, and only then looks at the
// files.
func compareProject(ctx context.Context, v *verifier.Verifier, dir string) (render.Project, error) {
	path := filepath.Join(dir, manifest.Name)
	p := render.Project{Dir: dir, Manifest: render.File{Path: path}}
	rb, err := runbook.ReadFile(path, false)
	switch {
	case isMissing(err):
		if _, missing := os.Stat(dir); missing != nil {
			return p, noAnswer(missing)
		}
		return p, no("%q has no %s: nobody has signed it as a whole", dir, manifest.Name).hint("have it signed by its owner: writ manifest sign")
	case err != nil:
		return p, err
	}
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		p.Manifest.Report = unverified.Report
		return p, nil
	case err != nil:
		return p, noAnswer(err)
	}
	p.Manifest.Report = verified.Report()
	list, err := manifest.Parse(verified.Payload())
	if err != nil { // the format has read it before
		return p, noAnswer(err)
	}
	p.Files = list.Len()
	tree, err := manifest.Open(dir)
	if err != nil {
		return p, noAnswer(err)
	}
	defer func() { _ = tree.Close() }() // opened for reading only
	var limit *manifest.LimitError
	p.Drift, err = manifest.Compare(ctx, list, tree)
	switch {
	case errors.As(err, &limit):
		return p, no("%q is not as it was signed: %w", dir, err)
	case err != nil:
		return p, noAnswer(err)
	}
	return p, nil
}
