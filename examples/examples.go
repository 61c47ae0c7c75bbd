// Package examples holds what "writ init" puts into a new folder: runbooks and a
// policy.
//
// The runbooks are unsigned and the policy has gaps for names: the first run
// fills them with keys that it just made.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed runbooks
var runbooks embed.FS

// Grants is a template of grants.yaml with the fields X509 and OpenPGP (the
// signer's identities) and User (the name of an account).
//
//go:embed policy/grants.yaml
var Grants string

// WorkerGroupRule is a rule in Rego: no job without a worker group.
//
//go:embed policy/worker-group.rego
var WorkerGroupRule string

// Tests says what the policy must decide.
//
//go:embed policy/tests.yaml
var Tests string

// Runbooks returns the example runbooks, one file each, no folders.
func Runbooks() (fs.FS, error) { return fs.Sub(runbooks, "runbooks") }
