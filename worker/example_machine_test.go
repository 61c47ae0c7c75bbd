//go:build linux

package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	keys "github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/worker/identity"
)

// machine is what lies on the disk of the machine of the examples, in a folder of its
// own: a trust store, a policy, and a library of signed runbooks.
type machine struct {
	dir string
	key *keys.Key
	// user is who runs the examples, and may run the runbooks.
	user policy.Caller
}

// newMachine makes one. A failure ends the examples.
func newMachine() *machine {
	dir, err := os.MkdirTemp("", "writ-example-")
	must(err)
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Alice", Created: time.Now().Add(-time.Hour)})
	must(err)
	m := &machine{dir: dir}
	m.key, err = keys.NewOpenPGPKey("example", entity)
	must(err)
	anchor, err := m.key.Anchor()
	must(err)
	m.user, err = identity.ProcessCaller()
	must(err)
	m.write("trust/example/openpgp/alice.asc", anchor)
	m.write("policy/grants.yaml", fmt.Appendf(nil, `version: 1
people: {alice: {identities: [%q, %q]}}
rules:
  - name: services
    match: {paths: ["**/library/*"]}
    workers: {groups: [web]}
    signed_by: {people: [alice]}
    requested_by: {people: [alice]}
    parameters: {Service: {pattern: "[a-z]+"}, Password: {type: string, secret: true}}
    run: {timeout: 1m, user: %s}
`, m.key.ID(), m.user.ID, strings.TrimPrefix(m.user.ID, "os:")))
	return m
}

// sign puts a signed runbook into the library.
func (m *machine) sign(name, text string) (path string) {
	rb, err := runbook.Parse(name, []byte(text))
	must(err)
	clearsign := format.NewClearsign()
	signed, err := clearsign.Sign(context.Background(), rb, m.key)
	must(err)
	return m.write("library/"+clearsign.OutputName(name), signed)
}

func (m *machine) write(name string, data []byte) (path string) {
	path = m.path(name)
	must(os.MkdirAll(filepath.Dir(path), 0o700))
	must(os.WriteFile(path, data, 0o600))
	return path
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

func (m *machine) remove() { must(os.RemoveAll(m.dir)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
