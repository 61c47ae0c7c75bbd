package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/bundle"
	"github.com/runwrit/writ/policy/store"
	"github.com/runwrit/writ/signer"
)

type policyBuildOptions struct {
	name, minTool      string
	epoch              uint64
	notBefore, expires string
	approvals          string
}

func newPolicyBuildCmd(a *app) *cobra.Command {
	o := &policyBuildOptions{}
	cmd := &cobra.Command{
		Use:   "build DIR BUNDLE",
		Short: "Put a policy folder into a bundle, which opa reads as well",
		Long: `Put a policy folder, its tests and the built-in library into one file, a bundle of
Open Policy Agent. The same folder and flags give the same bytes.

Use it to bring one policy to many machines: build, sign, and let each machine
activate it. Count the epoch up with each bundle of a name.

Exit codes: 0 built, 2 the policy or the flags are malformed, 3 the folder cannot
be read or the bundle cannot be written.`,
		Example: `  writ policy build policy prod-12.tar.gz --name prod --epoch 12 --expires 90d`,
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, paths []string) error {
			return a.runPolicyBuild(paths[0], paths[1], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "`name` that tells this policy from others")
	f.Uint64Var(&o.epoch, "epoch", 0, "`number` of this edition, higher than all before")
	f.StringVar(&o.notBefore, "not-before", "", "`time` from which it may decide, such as 2026-11-22T12:00:00Z (default: now)")
	f.StringVar(&o.expires, "expires", "", "`time` from which it must not decide any more, or days from the beginning, such as 90d")
	f.StringVar(&o.minTool, "min-tool", "", "oldest `version` of writ that may use it, such as 1.4")
	f.StringVar(&o.approvals, "approvals", "", "`folder` of signed statements to put into the bundle")
	return cmd
}

var days = lazyregexp.New(`^([1-9][0-9]*)d$`)

func (o *policyBuildOptions) meta(now time.Time) (bundle.Meta, error) {
	m := bundle.Meta{Name: o.name, Epoch: o.epoch, MinTool: o.minTool, NotBefore: now.UTC().Truncate(time.Second)}
	var err error
	if o.notBefore != "" {
		if m.NotBefore, err = time.Parse(time.RFC3339, o.notBefore); err != nil {
			return m, usagef("--not-before %q: want a time such as 2026-11-22T12:00:00Z", o.notBefore)
		}
	}
	if n := days.FindStringSubmatch(o.expires); n != nil {
		count, err := strconv.ParseUint(n[1], 10, 16)
		if err != nil {
			return m, usagef("--expires %q: too many days", o.expires)
		}
		m.Expires = m.NotBefore.AddDate(0, 0, int(count))
		return m, nil
	}
	if m.Expires, err = time.Parse(time.RFC3339, o.expires); err != nil {
		return m, usagef("--expires %q: want a time such as 2027-02-22T12:00:00Z, or days such as 90d", o.expires)
	}
	return m, nil
}

func (a *app) runPolicyBuild(dir, path string, o *policyBuildOptions) error {
	meta, err := o.meta(a.now())
	if err != nil {
		return err
	}
	src, err := policy.ReadFolder(dir, policy.LoadOptions{})
	if err == nil {
		_, err = policy.New(src) // a bundle that no gate takes is not worth signing
	}
	if err != nil {
		return policyError(dir, err)
	}
	c := bundle.Contents{Meta: meta, Source: src}
	if o.approvals != "" {
		if c.Approvals, err = readApprovals(o.approvals); err != nil {
			return noAnswer(err)
		}
	}
	data, err := bundle.Build(c)
	var refused *bundle.RefusedError
	switch {
	case errors.As(err, &refused):
		return usagef("the bundle cannot be built: %s", refused.Msg)
	case err != nil:
		return policyError(dir, err)
	}
	if err := checkTarget("BUNDLE", path); err != nil {
		return err
	}
	if err := writeAtomic(path, data); err != nil {
		return noAnswer(err)
	}
	if len(src.Tests) == 0 {
		a.note("the policy has no tests: an activation could not try it")
	}
	return a.say("%s: policy %s, epoch %d, until %s, not signed yet\n", render.Escape(path), meta.Name, meta.Epoch, meta.Expires.UTC().Format(time.RFC3339))
}

func readApprovals(dir string) ([]policy.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []policy.File
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "README.md" {
			continue
		}
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("%q is not a regular file", filepath.Join(dir, e.Name()))
		}
		data, err := readAtMost(filepath.Join(dir, e.Name()), policy.MaxRegoSize)
		if err != nil {
			return nil, err
		}
		files = append(files, policy.File{Name: e.Name(), Data: data})
	}
	return files, nil
}

type policySignOptions struct{ key signOptions }

func newPolicySignCmd(a *app) *cobra.Command {
	o := &policySignOptions{}
	cmd := &cobra.Command{
		Use:   "sign BUNDLE",
		Short: "Sign a bundle: the first signature goes into it, more go beside it",
		Long: `Sign a bundle with a private key: ECDSA on P-256, RSA or Ed25519, in PEM form,
in an environment variable (env://NAME), or ECDSA on P-256 in a KMS (NAME://...).
The first signature goes into the bundle, where opa reads it, too. Each more goes
into BUNDLE.dsse, which belongs to the bundle from then on.

Use it after a look at what is in the bundle. How many people must sign is said by
each machine that activates it.

Exit codes: 0 signed, 1 the bundle cannot be signed, or this key has signed it, 2
the key is malformed, 3 a file cannot be read or written.`,
		Example: `  writ policy sign prod-12.tar.gz --key alice.key.pem`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			return a.runPolicySign(cmd.Context(), paths[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.key.key, "key", "", "private key, a PEM `file`, env://NAME, or the URI of a key in a KMS")
	o.key.passphrase.addTo(cmd, "the key")
	return cmd
}

func (a *app) runPolicySign(ctx context.Context, path string, o *policySignOptions) error {
	if o.key.key == "" {
		return usagef("no key given: --key FILE")
	}
	if err := o.key.passphrase.validate(); err != nil {
		return err
	}
	if err := readable(o.key.key); err != nil {
		return err
	}
	data, beside, err := store.ReadBundle(path)
	if err != nil {
		return noAnswer(err)
	}
	key, notes, err := signer.OpenPrivateKey(ctx, o.key.key, o.key.keyOptions(a))
	if err != nil {
		return err
	}
	for _, note := range notes {
		a.note("%s", note)
	}
	unsigned := false
	if b, err := bundle.ReadUnverified(data); err == nil {
		unsigned = !b.Signed()
	}
	target, content := path+bundle.EnvelopeExt, []byte(nil)
	if unsigned {
		target = path
		content, err = bundle.Sign(data, key)
	} else {
		content, err = bundle.Countersign(data, beside, key)
	}
	var refused *bundle.RefusedError
	switch {
	case errors.As(err, &refused):
		return no("%q: %w", path, err)
	case err != nil:
		return &exitError{code: exitMalformed, err: err}
	}
	if err := checkTarget("BUNDLE", target); err != nil {
		return err
	}
	if err := writeAtomic(target, content); err != nil {
		return noAnswer(err)
	}
	return a.say("%s: signed\n", render.Escape(target))
}

// readAtMost reads a regular file, and one byte more than limit of one that is
// longer: what reads the content says that it is too long.
func readAtMost(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}

type policyVerifyOptions struct {
	output    output
	store     string
	signers   []string
	threshold int
	name      string
	clock     clockOption
}

func newPolicyVerifyCmd(a *app) *cobra.Command {
	o := &policyVerifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Say who signed a bundle, and whether it can be used now",
		Long: `Check the signatures of a bundle, by the rules of Open Policy Agent and by stricter
ones, and whether it may be used now, by this version of writ. Whose signatures
count is said by the flags, or by the settings of a store.

Use it before you hand a bundle on. It says nothing of epochs: a store does, when
it activates a bundle.

Exit codes: 0 good, 1 refused, 2 the question is malformed, 3 a file or the store
cannot be read.`,
		Example: `  writ policy verify prod-12.tar.gz --signer alice=alice.pem --signer bob=bob.pem --threshold 2
  writ policy verify prod-12.tar.gz --store /etc/writ/policy`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, paths []string) error { return a.runPolicyVerify(paths[0], o) },
	}
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.store, "store", "", "policy store, a `folder`, whose settings say what counts")
	f.Var((*repeated)(&o.signers), "signer", "`OWNER=FILE`: somebody who may sign, and the public key in PEM form (repeatable)")
	f.IntVar(&o.threshold, "threshold", 1, "how many different owners must have signed")
	f.StringVar(&o.name, "name", "", "`name` that the policy must have")
	o.clock.addTo(cmd)
	return cmd
}

func (a *app) runPolicyVerify(path string, o *policyVerifyOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	clock, err := o.clock.clock()
	if err != nil {
		return err
	}
	if clock == nil {
		clock = a.now
	}
	trust, name, err := o.trust()
	if err != nil {
		return err
	}
	data, detached, err := store.ReadBundle(path)
	if err != nil {
		return noAnswer(err)
	}
	b, err := bundle.Verify(data, detached, trust)
	if err == nil && name != "" && b.Meta().Name != name {
		err = &bundle.RefusedError{Code: store.CodeName, Msg: fmt.Sprintf("it is the policy %q, and %q is wanted", b.Meta().Name, name)}
	}
	if err == nil {
		err = store.Usable(b.Meta(), clock(), toolVersion())
	}
	if err != nil {
		return bundleError(path, err)
	}
	if err := r.Bundle(a.stdout, render.NewBundle(path, b)); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// trust says whose signatures count, and which name the policy must have.
func (o *policyVerifyOptions) trust() (*bundle.Trust, string, error) {
	if o.store != "" {
		if len(o.signers) > 0 || o.threshold != 1 || o.name != "" {
			return nil, "", usagef("the settings of --store say what --signer, --threshold and --name would")
		}
		s, err := store.Open(o.store, store.Options{})
		if err != nil {
			return nil, "", noAnswer(err)
		}
		defer func() { _ = s.Close() }() // opened for reading only
		trust, err := s.Trust()
		if err != nil {
			return nil, "", noAnswer(err)
		}
		return trust, s.Name(), nil
	}
	if len(o.signers) == 0 {
		return nil, "", usagef("whose signatures count? --signer OWNER=FILE, or --store DIR")
	}
	var keys []bundle.Key
	for _, s := range o.signers {
		owner, file, ok := strings.Cut(s, "=")
		if !ok || file == "" {
			return nil, "", usagef("--signer %q: want OWNER=FILE", s)
		}
		text, err := readAtMost(file, signer.MaxKeyFile)
		if err != nil {
			return nil, "", noAnswer(err)
		}
		key, err := bundle.NewKey(owner, text)
		if err != nil {
			return nil, "", &exitError{code: exitMalformed, err: fmt.Errorf("%q: %w", file, err)}
		}
		keys = append(keys, key)
	}
	trust, err := bundle.NewTrust(o.threshold, keys...)
	if err != nil {
		return nil, "", usageError{err}
	}
	return trust, o.name, nil
}

// bundleError gives a bundle that is refused the code of a no.
func bundleError(path string, err error) error {
	var refused *bundle.RefusedError
	if errors.As(err, &refused) {
		return no("%q is refused: %w", path, err)
	}
	return noAnswer(err)
}

// toolVersion is the version of this program, "" where it is not known.
func toolVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version
	}
	return ""
}
