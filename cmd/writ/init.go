package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/examples"
	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/worker/identity"
)

func newInitCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Make a folder to try writ in: test keys, trust, policy, runbooks",
		Long: `Make a folder to try writ in: test keys (a code-signing authority with a
certificate, and an OpenPGP key), a trust store that trusts them, a policy, and
example runbooks; and print what to type next.

Use it to see signing, verifying, a run that is allowed, one that is denied and
a changed file that is refused, in a minute. The keys have no passphrase: they
are for trying only.

Exit codes: 0 made, 2 the folder is there and not empty, 3 it cannot be written.`,
		Example: `  writ init demo`,
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(_ *cobra.Command, paths []string) error { return a.runInit(paths[0]) },
	}
}

func (a *app) runInit(dir string) error {
	user, err := identity.ProcessCaller()
	if err != nil {
		return noAnswer(err)
	}
	files, err := firstFiles(a.now(), strings.TrimPrefix(user.ID, "os:"))
	if err != nil {
		return noAnswer(err)
	}
	made, err := makeEmpty(dir)
	if err != nil {
		return err
	}
	if err := writeFiles(dir, files); err != nil {
		removeFiles(dir, files, made)
		return noAnswer(err)
	}
	if err := guard.Folder(dir); err != nil {
		a.note("writ run refuses what lies here until this is mended: %v", err)
	}
	return writeNextSteps(a, dir)
}

// firstFile is one file of a new folder, by its path with slashes.
type firstFile struct {
	path string
	mode fs.FileMode
	data []byte
}

// firstFiles makes everything in memory, so that little can fail once the
// writing begins.
func firstFiles(now time.Time, user string) ([]firstFile, error) {
	now = now.Truncate(time.Second)
	x, err := newkeys.X509(newkeys.X509Options{Algorithm: "rsa2048", Subject: "writ demo code signing", NotBefore: now})
	if err != nil {
		return nil, err
	}
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "writ demo signer", Created: now, Lifetime: 365 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		return nil, err
	}
	secret, err := newkeys.ArmoredSecret(entity, nil)
	if err != nil {
		return nil, err
	}
	xKey, err := signer.NewX509Key("codesign", x.Key, x.Chain())
	if err != nil {
		return nil, err
	}
	pgpKey, err := signer.NewOpenPGPKey("openpgp", entity)
	if err != nil {
		return nil, err
	}
	var grants strings.Builder
	err = template.Must(template.New("").Parse(examples.Grants)).Execute(&grants, map[string]string{
		"X509": xKey.ID(), "OpenPGP": pgpKey.ID(), "User": user,
	})
	if err != nil {
		return nil, err
	}
	if _, err := policy.New(policy.Source{Grants: []byte(grants.String())}); err != nil {
		return nil, fmt.Errorf("a policy that names the account %q: %w", user, err)
	}
	files := []firstFile{
		{"keys/codesign.key.pem", 0o600, x.KeyPEM},
		{"keys/codesign.pem", 0o644, x.ChainPEM()},
		{"keys/openpgp.key.asc", 0o600, secret},
		{"trust/demo/x509-ca/ca.pem", 0o644, x.CAPEM},
		{"trust/demo/openpgp/signer.asc", 0o644, public},
		{"policy/grants.yaml", 0o644, []byte(grants.String())},
		{"policy/worker-group.rego", 0o644, []byte(examples.WorkerGroupRule)},
		{"policy/tests.yaml", 0o644, []byte(examples.Tests)},
	}
	runbooks, err := exampleRunbooks()
	if err != nil {
		return nil, err
	}
	return append(files, runbooks...), nil
}

func exampleRunbooks() ([]firstFile, error) {
	source, err := examples.Runbooks()
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(source, ".")
	if err != nil {
		return nil, err
	}
	var files []firstFile
	for _, e := range entries {
		data, err := fs.ReadFile(source, e.Name())
		if err != nil {
			return nil, err
		}
		files = append(files, firstFile{"runbooks/" + e.Name(), 0o644, data})
	}
	return files, nil
}

// makeEmpty makes sure that dir is an empty folder, and says whether it made it.
func makeEmpty(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return false, &exitError{
			code: exitMalformed, err: fmt.Errorf("%q is not empty: nothing was changed", dir),
			hints: []string{"name a folder that does not exist yet"},
		}
	case err == nil:
		return false, nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // nothing in it but the keys is secret
		return false, noAnswer(err)
	}
	return true, nil
}

func writeFiles(dir string, files []firstFile) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.path))
		mode := fs.FileMode(0o755)
		if strings.HasPrefix(f.path, "keys/") {
			mode = 0o700
		}
		if err := os.MkdirAll(filepath.Dir(path), mode); err != nil {
			return err
		}
		if err := writeNew(path, f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// writeNew fails if there is a file of this name already.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close() // the first error is the one to report
		return err
	}
	return f.Close()
}

// removeFiles takes back what writeFiles did: dir was empty before.
func removeFiles(dir string, files []firstFile, made bool) {
	for _, f := range files {
		top, _, _ := strings.Cut(f.path, "/")
		_ = os.RemoveAll(filepath.Join(dir, top)) // the error that led here is the one to report
	}
	if made {
		_ = os.Remove(dir)
	}
}

const nextSteps = `made test keys, a trust store, a policy and four runbooks in %s

next, type:
  cd %s
  writ sign --key keys/codesign.key.pem --cert keys/codesign.pem runbooks/*.ps1
  writ sign --key keys/openpgp.key.asc runbooks/*.sh runbooks/*.py
  writ verify --trust trust runbooks
a run that is allowed:
  writ run --trust trust --policy policy --ledger ledger.jsonl --worker-group demo-workers runbooks/disk-report.sh.asc -- /
one that is denied, because the worker has no group:
  writ run --trust trust --policy policy --ledger ledger.jsonl runbooks/disk-report.sh.asc -- /
a changed file that is refused:
  echo 'Stop-Computer' >> runbooks/Restart-Computer.ps1
  writ verify --trust trust runbooks/Restart-Computer.ps1
the record of what happened:
  writ ledger show ledger.jsonl
`

func writeNextSteps(a *app, dir string) error {
	if _, err := fmt.Fprintf(a.stdout, nextSteps, render.Escape(dir), render.Escape(dir)); err != nil {
		return noAnswer(fmt.Errorf("write the next steps: %w", err))
	}
	return nil
}
