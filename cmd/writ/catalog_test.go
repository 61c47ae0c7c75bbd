package main

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

// Catalogs at the command line: each exit code, in each command that takes them.
func TestCatalogsAtTheCommandLine(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Catalog Root", nil)
	leaf := vectors.Issue(t, now, "Catalog Signer", root, vectors.CodeSigning)
	stranger := vectors.Issue(t, now, "Stranger", nil, vectors.CodeSigning)
	script := []byte("Write-Output 1\r\n")
	member := vectors.FlatMember(crypto.SHA256, script)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lib := filepath.Join(dir, "lib")
	if err := os.Mkdir(lib, 0o700); err != nil {
		t.Fatal(err)
	}
	ca, job := write("ca.pem", root.PEM()), write("lib/job.ps1", script)
	other := write("other.ps1", []byte("Write-Output 2\r\n"))
	good, evil := write("good.cat", vectors.Catalog(t, leaf, now, member)), write("evil.cat", vectors.Catalog(t, stranger, now, member))
	broken, large := write("broken.cat", []byte("hello")), write("large.cat", make([]byte, 9<<20))
	payload := filepath.Join(dir, "payload.ps1")
	at := now.Format("2006-01-02T15:04:05Z")
	judge := func(command string, args ...string) []string {
		return append([]string{command, "--ca", ca, "--at", at}, args...)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"without a catalog":       {judge("verify", job), exitNo, "unsigned"},
		"listed":                  {judge("verify", "--catalog", good, job), exitYes, `the catalog "good.cat"`},
		"listed, as json":         {judge("verify", "--catalog", good, "-o", "json", job), exitYes, `"code": "catalog"`},
		"listed, with payload":    {judge("verify", "--catalog", good, "--payload", payload, job), exitYes, "valid"},
		"not listed":              {judge("verify", "--catalog", good, other), exitNo, "not-in-catalog"},
		"by a stranger":           {judge("verify", "--catalog", evil, job), exitNo, "untrusted"},
		"by a stranger, and good": {judge("verify", "--catalog", evil, "--catalog", good, job), exitYes, "valid"},
		"inspect":                 {judge("inspect", "--catalog", good, job), exitYes, "is in the catalog"},
		"inspect without trust":   {[]string{"inspect", "--catalog", good, job}, exitNo, "untrusted"},
		"audit":                   {judge("audit", "--catalog", good, lib), exitYes, "valid"},
		"no catalog at all":       {judge("verify", "--catalog", broken, job), exitNoAnswer, "broken.cat"},
		"missing":                 {judge("verify", "--catalog", filepath.Join(dir, "none.cat"), job), exitNoAnswer, "none.cat"},
		"a folder":                {judge("verify", "--catalog", lib, job), exitNoAnswer, "not a regular file"},
		"too large":               {judge("verify", "--catalog", large, job), exitNoAnswer, "the limit is"},
		"no name":                 {judge("verify", "--catalog", "", job), exitMalformed, "needs the name of a file"},
		"not for run":             {[]string{"run", "--catalog", good, job}, 125, "catalog"},
	} {
		code, out, errs := call(t, c.args...)
		plain(t, name, out+errs)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: exit code %d, want %d with %q\n%s%s", name, code, c.code, c.want, out, errs)
		}
	}
	if data, err := os.ReadFile(payload); err != nil || string(data) != string(script) {
		t.Errorf("payload: %q, %v", data, err)
	}
}
