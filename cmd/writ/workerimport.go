package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/hybrid"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/verifier"
)

// importedStore is the name of the store that holds the old worker's keys.
const importedStore = "hybrid-worker"

type workerImportOptions struct {
	conf, out                    string
	trust, policy, ledger, state string
	id, group                    string
}

func newWorkerImportCmd(a *app) *cobra.Command {
	o := &workerImportOptions{}
	cmd := &cobra.Command{
		Use:   "import --conf worker.conf",
		Short: "Make a worker.yaml and a trust store of an old hybrid worker's worker.conf",
		Long: `Read the worker.conf of an old Linux Hybrid Runbook Worker of Azure Automation as
that worker's Python reads it, and make of it a worker.yaml and a trust store with
the public certificates of its keyrings. Say what it could not carry over, and
why.

Use it to come from the hybrid worker. It changes nothing of the old worker, and
writes nothing over what is there. A keyring with secret keys in it is refused.
The certificates are trusted from then on: compare the fingerprints that it prints
with those that your signers tell you.

Exit codes: 0 made, 1 the worker.conf or what it names cannot be carried over, 2
the question is malformed or something is there already, 3 a file cannot be read
or written. After 1, 2 and 3 nothing new is left behind.`,
		Example: `  writ worker import --conf /home/nxautomation/state/worker.conf --out /etc/writ/worker.yaml
  writ worker import --conf worker.conf --group web`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return a.runWorkerImport(o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.conf, "conf", "", "the old configuration, a `file`")
	f.StringVar(&o.out, "out", "worker.yaml", "the new configuration, a `file` that is not there yet")
	f.StringVar(&o.trust, "trust", "", "the new trust store, a `folder` that is not there yet (trust beside the new configuration)")
	f.StringVar(&o.policy, "policy", "", "`folder` where the policy will be (policy beside the new configuration)")
	f.StringVar(&o.ledger, "ledger", "/var/lib/writ/ledger.jsonl", "`file` where runs will be recorded")
	f.StringVar(&o.state, "state", "/var/lib/writ", "`folder` for what writ must remember between runs")
	f.StringVar(&o.id, "id", "", "`name` of the worker, in place of machine_id")
	f.StringVar(&o.group, "group", "", "`name` of the worker's group, in place of hybrid_worker_group_name")
	return cmd
}

func (a *app) runWorkerImport(o *workerImportOptions) error {
	into, err := o.into(a)
	if err != nil {
		return err
	}
	data, err := guard.ReadFile(o.conf, hybrid.MaxSize+1, false)
	if err != nil {
		return noAnswer(fmt.Errorf("read %q: %w", o.conf, err))
	}
	conf, err := hybrid.Parse(data)
	if err != nil {
		return no("%q: the old worker could not read it either: %w", o.conf, err)
	}
	if len(conf.Keyrings) > hybrid.MaxKeyrings {
		return no("%q: names more than %d keyrings", o.conf, hybrid.MaxKeyrings)
	}
	carried, err := hybrid.Carry(conf, readKeyrings(conf.Keyrings), into)
	if carried != nil {
		a.tellCarried(carried)
	}
	if err != nil {
		return cannotCarry(o.conf, err)
	}
	if err := writeCarried(o.out, into.Trust, carried); err != nil {
		return err
	}
	return a.sayCarried(o, into, carried)
}

// into makes the paths absolute, and refuses what is there already.
func (o *workerImportOptions) into(a *app) (hybrid.Into, error) {
	into := hybrid.Into{ID: o.id, Group: o.group, Now: a.now()}
	if o.conf == "" || o.out == "" {
		return into, &exitError{code: exitMalformed, err: errors.New("which worker.conf? --conf FILE"), hints: []string{"the old workers have it in: " + strings.Join(hybrid.Places, ", ")}}
	}
	out, err := filepath.Abs(o.out)
	if err != nil {
		return into, noAnswer(err)
	}
	o.out = out
	beside := filepath.Dir(out)
	for _, x := range []struct {
		to         *string
		flag, path string
	}{
		{&into.Trust, "--trust", cmp.Or(o.trust, filepath.Join(beside, "trust"))},
		{&into.Policy, "--policy", cmp.Or(o.policy, filepath.Join(beside, "policy"))},
		{&into.Ledger, "--ledger", o.ledger}, {&into.State, "--state", o.state},
	} {
		if x.path == "" {
			return into, usagef("%s needs a path", x.flag)
		}
		if *x.to, err = filepath.Abs(x.path); err != nil {
			return into, noAnswer(err)
		}
	}
	for _, path := range []string{o.out, into.Trust} {
		_, err := os.Lstat(path)
		switch {
		case err == nil:
			return into, usageError{fmt.Errorf("%q is there already: nothing was written", path)}
		case !errors.Is(err, fs.ErrNotExist):
			return into, noAnswer(err)
		}
	}
	return into, nil
}

// readKeyrings reads what the old configuration names. A relative path is one
// below a folder that only the old worker knew.
func readKeyrings(paths []string) []hybrid.Keyring {
	var rings []hybrid.Keyring
	for _, path := range paths {
		r := hybrid.Keyring{Path: path}
		if !filepath.IsAbs(path) {
			r.Err = errors.New("not an absolute path: gpg looked for it in its home folder")
		} else if r.Data, r.Err = guard.ReadFile(path, hybrid.MaxKeyringSize+1, false); len(r.Data) > hybrid.MaxKeyringSize {
			r.Data, r.Err = nil, errors.New("larger than a file of a trust store may be")
		}
		rings = append(rings, r)
	}
	return rings
}

// tellCarried says what became of the old configuration, one line each.
func (a *app) tellCarried(c *hybrid.Carried) {
	for _, w := range c.Warnings {
		a.note("%s", w)
	}
	for _, l := range c.Left {
		a.note("not carried over: %s: %s", l.What, l.Why)
	}
}

func cannotCarry(conf string, err error) error {
	e := no("%q: %w", conf, err)
	switch {
	case errors.Is(err, hybrid.ErrNoID):
		return e.hint("give it a name: --id NAME")
	case errors.Is(err, hybrid.ErrNoCertificates):
		return e.hint("put the public certificates of those who sign into a trust store: docs/formats/trust-store.md")
	}
	return e
}

// writeCarried writes the trust store and then the configuration, or nothing.
// Without certificates there is no trust store: an empty one would be refused.
func writeCarried(out, trust string, c *hybrid.Carried) error {
	if len(c.Files) == 0 {
		return writeConfig(out, c.YAML)
	}
	if err := os.Mkdir(trust, 0o755); err != nil { //nolint:gosec // public certificates
		return noAnswer(err)
	}
	err := func() error {
		room := filepath.Join(trust, importedStore, string(verifier.RoomOpenPGP))
		if err := os.MkdirAll(room, 0o755); err != nil { //nolint:gosec // public certificates
			return err
		}
		for _, f := range c.Files {
			if err := writeNew(filepath.Join(room, f.Name), f.Data, 0o644); err != nil {
				return err
			}
		}
		if _, err := verifier.OpenTrust(trust, verifier.TrustOptions{}); err != nil {
			return err
		}
		return writeConfig(out, c.YAML)
	}()
	if err != nil {
		_ = os.RemoveAll(trust) // made above; the error that led here is the one to report
		return err
	}
	return nil
}

func writeConfig(out string, data []byte) error {
	err := writeNew(out, data, 0o644)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrExist):
		_ = os.Remove(out) // a part of it
	}
	return noAnswer(err)
}

func (a *app) sayCarried(o *workerImportOptions, into hybrid.Into, c *hybrid.Carried) error {
	made := render.Escape(o.out)
	if len(c.Files) > 0 {
		made += " and " + render.Escape(into.Trust)
	}
	if err := a.say("made %s\n", made); err != nil {
		return err
	}
	if err := a.say("worker %s, group %s\n", render.Escape(c.ID), render.Escape(cmp.Or(c.Group, "none"))); err != nil {
		return err
	}
	for _, cert := range c.Certificates {
		if err := a.say("trusts openpgp:%s %s\n", cert.Fingerprint, render.Escape(cert.Name)); err != nil {
			return err
		}
	}
	for _, path := range []string{o.out, into.Trust} {
		if err := guard.Folder(filepath.Dir(path)); err != nil {
			a.note("writ run refuses %s until this is mended: %v", path, err)
		}
	}
	if _, err := os.Lstat(into.Policy); err != nil {
		a.note("there is no policy in %s yet, and without one nothing runs: docs/policy.md", into.Policy)
	}
	return nil
}
