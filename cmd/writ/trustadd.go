package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/truststore"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// trustAddOptions are the flags of trust add and trust import.
type trustAddOptions struct {
	output      output
	store, room string
	only        []string
	all         bool
	passphrase  passphraseOptions
}

const trustRooms = "x509-ca, tsa, openpgp, crl, sigstore"

func (o *trustAddOptions) addTo(cmd *cobra.Command) {
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.store, "store", "", "`name` of the store to add to; it is made if it is not there")
	f.StringVar(&o.room, "room", "", "`room` to add to, in place of the one that the content says: "+trustRooms)
	o.passphrase.addTo(cmd, "a PKCS#12 file")
}

func newTrustAddCmd(a *app) *cobra.Command {
	o := &trustAddOptions{}
	cmd := &cobra.Command{
		Use:   "add DIR --store NAME FILE...",
		Short: "Add certificates or keys to a trust store, one from each file",
		Long: `Add certificates to a store of a trust store, one from each file, and say whom the
store trusts now that it did not before. Authorities for code signing, and
certificates that signed themselves, go to x509-ca, timestamp authorities to tsa,
OpenPGP certificates to openpgp, revocation lists to crl, and public keys and
trusted roots of Sigstore to sigstore.

WHOEVER ADDS AN AUTHORITY TRUSTS EVERYBODY WHOM IT CERTIFIES, now and later. Compare
the ID with what its owner says, by another way than the one that the file came by.
Narrow a store with pins (see the pages on trust stores).

Nothing is added unless the whole trust store can be used afterwards, and no file is
overwritten. A secret key, and a certificate that is no anchor, is refused.

Exit codes: 0 added, or there already, 1 refused, 2 the question is malformed, 3
something cannot be read or written. With 1, 2 and 3 nothing was added.`,
		Example: `  writ trust add trust --store prod contoso-root.pem
  writ trust add trust --store prod alice.asc bob.asc`,
		Args: args(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.runTrustAdd(cmd.Context(), list[0], list[1:], o)
		},
	}
	o.addTo(cmd)
	return cmd
}

func newTrustImportCmd(a *app) *cobra.Command {
	o := &trustAddOptions{}
	cmd := &cobra.Command{
		Use:   "import DIR --store NAME FILE",
		Short: "Add many certificates from one file to a trust store",
		Long: `Add certificates from a file that holds many to a store of a trust store: a PEM
bundle, DER, PKCS#7 (.p7b, .p7c), PKCS#12 (.pfx, .p12; its certificates only), a
serialized store of Windows (.sst), or a GnuPG keybox (.kbx). It says what is in the
file and, afterwards, whom the store trusts now that it did not before.

WHOEVER ADDS AN AUTHORITY TRUSTS EVERYBODY WHOM IT CERTIFIES, now and later. Where
the file holds more than one thing, --only names what to add, or --all takes all that
has its place and nothing against it; without them you are asked on a terminal, and
nothing is added elsewhere.

Nothing is added unless the whole trust store can be used afterwards, and no file is
overwritten.

Exit codes: 0 added, or there already, 1 refused, 2 the question is malformed: most
often, nobody said what to add, 3 something cannot be read or written. With 1, 2 and
3 nothing was added.`,
		Example: `  writ trust import trust --store prod windows-roots.sst
  writ trust import trust --store prod windows-roots.sst --only x509-sha256:6f1c...e2
  writ trust import trust --store admins pubring.kbx --all`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.runTrustImport(cmd.Context(), list[0], list[1], o)
		},
	}
	o.addTo(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.only, "only", nil, "add what has one of these `IDs`, separated by commas (repeatable)")
	f.BoolVar(&o.all, "all", false, "add all that has its place in a trust store and nothing against it")
	return cmd
}

func (o *trustAddOptions) check() error {
	rooms := strings.Split(trustRooms, ", ")
	switch {
	case o.store == "":
		return usagef("which store? --store NAME")
	case o.room != "" && !slices.Contains(rooms, o.room):
		return usagef("--room %q: want one of %s", o.room, trustRooms)
	}
	return o.passphrase.validate()
}

func (a *app) runTrustAdd(ctx context.Context, dir string, paths []string, o *trustAddOptions) error {
	t, err := a.openAddition(dir, o)
	if err != nil {
		return err
	}
	var chosen []anchors.Anchor
	for _, path := range paths {
		found, err := t.read(ctx, path)
		if err != nil {
			return err
		}
		one, err := found.Select(nil, false)
		if err != nil {
			return t.refuse(path, found, err)
		}
		chosen = append(chosen, one...)
	}
	return t.add(ctx, paths[0], chosen, nil)
}

func (a *app) runTrustImport(ctx context.Context, dir, path string, o *trustAddOptions) error {
	t, err := a.openAddition(dir, o)
	if err != nil {
		return err
	}
	found, err := t.read(ctx, path)
	if err != nil {
		return err
	}
	for _, note := range found.Notes {
		a.note("%s", note)
	}
	chosen, err := found.Select(o.only, o.all)
	if err != nil && len(o.only) == 0 && !o.all && len(found.Undoubted()) > 0 && term.IsTerminal(int(os.Stdin.Fd())) {
		chosen, err = t.ask(path, found)
	}
	if err != nil {
		return t.refuse(path, found, err)
	}
	var leftOut []anchors.Anchor
	if len(o.only) == 0 {
		for _, f := range found.Anchors {
			if !slices.ContainsFunc(chosen, func(c anchors.Anchor) bool { return c.ID == f.ID && c.Room == f.Room }) {
				leftOut = append(leftOut, f)
			}
		}
	}
	return t.add(ctx, path, chosen, leftOut)
}

// trustAddition is one call of trust add or trust import.
type trustAddition struct {
	*app
	*trustAddOptions
	dir      string
	before   *verifier.TrustStore
	renderer render.Renderer
}

func (a *app) openAddition(dir string, o *trustAddOptions) (*trustAddition, error) {
	r, err := o.output.renderer()
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	before, err := truststore.Open(dir)
	if err != nil {
		return nil, noAnswer(err)
	}
	return &trustAddition{a, o, dir, before, r}, nil
}

// read takes a file apart that the user names.
func (t *trustAddition) read(ctx context.Context, path string) (*anchors.Found, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case !info.Mode().IsRegular():
		return nil, usagef("%q is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, anchors.MaxFile+1))
	if err != nil {
		return nil, noAnswer(err)
	}
	found, err := anchors.Read(ctx, path, data, anchors.Options{Now: t.now(), Room: verifier.Room(t.room), Passphrase: t.passphrase.orAsk(t.app)})
	var key *signer.KeyError
	switch {
	case errors.As(err, &key):
		return nil, err
	case err != nil:
		return nil, no("%q: %w", path, err)
	}
	return found, nil
}

// refuse shows what is in a file of which it is not clear what to add, or nothing
// can be.
func (t *trustAddition) refuse(path string, found *anchors.Found, err error) error {
	var unclear *anchors.SelectionError
	if !errors.As(err, &unclear) {
		return err
	}
	if len(found.Anchors) == 1 {
		return no("%q: %w: nothing was added", path, err)
	}
	if err := t.renderer.TrustFound(t.stdout, render.TrustFound{Path: path, Found: found}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return &exitError{
		code: exitMalformed, err: fmt.Errorf("%q: %w: nothing was added", path, err),
		hints: []string{"name those that you know: writ trust import --only ID,..."},
	}
}

// ask lists what could be added, and adds it if the answer is the whole word yes.
func (t *trustAddition) ask(path string, found *anchors.Found) ([]anchors.Anchor, error) {
	text, err := render.New("text")
	if err != nil {
		return nil, err
	}
	if err := text.TrustFound(t.stderr, render.TrustFound{Path: path, Found: found}); err != nil {
		return nil, noAnswer(err)
	}
	if _, err := fmt.Fprintf(t.stderr, "Add the %d of these that nothing speaks against to store %s? Type yes: ", len(found.Undoubted()), render.Escape(t.store)); err != nil {
		return nil, noAnswer(err)
	}
	answer, err := bufio.NewReader(io.LimitReader(t.stdin, 100)).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return nil, no("%q: you did not say yes: nothing was added", path)
	}
	return found.Select(nil, true)
}

// add writes what was chosen, and tells.
func (t *trustAddition) add(ctx context.Context, path string, chosen, leftOut []anchors.Anchor) error {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	plan, err := truststore.Plan(ctx, t.before, t.store, base, chosen, t.now())
	var trust *verifier.TrustError
	switch {
	case errors.As(err, &trust):
		return noAnswer(err)
	case err != nil:
		return usageError{err}
	}
	after, err := plan.Commit(ctx, t.dir, func(trust *verifier.TrustStore) error {
		_, err := newVerifier(trust, t.now)
		return err
	})
	var unusable *truststore.UnusableError
	switch {
	case errors.As(err, &unusable):
		return no("nothing was added: %w", err)
	case err != nil:
		return noAnswer(fmt.Errorf("nothing was added: %w", err))
	}
	if len(plan.Added) > 0 {
		t.tellUnguarded(t.dir)
		if n := after.Epoch().Number; n > 0 {
			t.note("the trust store says that it is still epoch %d: count it up in its file epoch", n)
		}
	}
	if err := t.renderer.TrustAddition(t.stdout, render.TrustAddition{Path: t.dir, Addition: plan, LeftOut: leftOut, After: after}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}
