// Package demo makes what the example programs need to be tried: a key, a trust
// store, a policy and signed runbooks, in a folder of a test. Everything is real
// but the people.
//
// It uses only what a program outside of this module can import, as the examples
// do. The key is for the test alone.
package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/worker/identity"
)

// Group is the worker group that the policy is for.
const Group = "demo"

// Machine is a machine on which runbooks run behind a gate.
type Machine struct {
	Trust, Policy, Ledger, Runbooks string

	key *signer.Key
}

// New makes a machine whose policy lets the user of this process run whatever the
// one signer has signed, with up to three positional arguments.
func New(t testing.TB) *Machine {
	t.Helper()
	dir := t.TempDir()
	m := &Machine{
		Trust: filepath.Join(dir, "trust"), Policy: filepath.Join(dir, "policy"),
		Ledger: filepath.Join(dir, "ledger.jsonl"), Runbooks: filepath.Join(dir, "runbooks"),
	}
	entity, err := openpgp.NewEntity("Example Signer", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	check(t, err)
	m.key, err = signer.NewOpenPGPKey("example", entity)
	check(t, err)
	anchor, err := m.key.Anchor()
	check(t, err)
	user, err := identity.ProcessCaller()
	check(t, err)
	write(t, filepath.Join(m.Trust, "demo", "openpgp", "signer.asc"), anchor)
	write(t, filepath.Join(m.Policy, "grants.yaml"), fmt.Appendf(nil, `version: 1
people:
  signer: {identities: [%q]}
  operator: {identities: [%q]}
rules:
  - name: demo
    match: {paths: ["**/runbooks/*"]}
    workers: {groups: [%s]}
    signed_by: {people: [signer]}
    requested_by: {people: [operator]}
    parameters: {"1": {pattern: "[a-z0-9]+"}, "2": {pattern: "[a-z0-9]+"}, "3": {pattern: "[a-z0-9]+"}}
    run: {timeout: 1m}
`, m.key.ID(), user.ID, Group))
	check(t, os.Mkdir(m.Runbooks, 0o700))
	return m
}

// Sign puts a signed runbook into the library and returns its path, which ends in
// ".asc".
func (m *Machine) Sign(t testing.TB, name, text string) string {
	t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	check(t, err)
	signed, err := format.NewClearsign().Sign(t.Context(), rb, m.key)
	check(t, err)
	path := filepath.Join(m.Runbooks, format.NewClearsign().OutputName(name))
	write(t, path, signed)
	return path
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, data, 0o600))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
