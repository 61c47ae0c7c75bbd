// Package config reads worker.yaml, the file in which the owner of a machine
// says which worker it is, whom it trusts, which policy decides and where runs
// are recorded. The file is as strict as grants.yaml: unknown keys are errors,
// and a gate refuses it where anyone but root and its own user may write it or
// put another one in its place.
//
// It does not open what the file names: paths are checked for their form only.
package config

import (
	"fmt"
	"path/filepath"

	"github.com/runwrit/writ/internal/guard"
	"github.com/runwrit/writ/internal/strictyaml"
	"github.com/runwrit/writ/worker/identity"
)

// MaxSize is the largest worker.yaml in bytes.
const MaxSize = 1 << 20

// Worker is a worker.yaml. It holds only what was read and found good.
type Worker struct {
	ID     string
	Group  string // "" for a worker without a group
	Labels map[string]string
	// Trust, Policy and Ledger are absolute paths; State is, or is "" for none.
	Trust, Policy, Ledger, State string
	// Segments and Checkpoints say how the ledger is kept.
	Segments    LedgerSegments
	Checkpoints LedgerCheckpoints
	// Issuers are those whose tokens count; none if it is empty.
	Issuers []identity.Issuer
	// ManagedIdentity is the worker's own; nil for none.
	ManagedIdentity *ManagedIdentity
	// Tokens says how runbooks get tokens of the host; nil for not at all.
	Tokens *Tokens
	// TicketIssuers are the identities of those whose tickets count; none if it is
	// empty.
	TicketIssuers []string
	// Run says how runbooks are run where the policy does not.
	Run Run
	// Interpreters are programs for kinds of runbooks; nil for none.
	Interpreters map[string]Interpreter
	// Logs says where the output of runs is kept; nil for nowhere.
	Logs *Logs
}

// Options say how strictly Load looks at the file.
type Options struct {
	// Guarded refuses a file that anyone but root and the current user may write,
	// and a place where others could put another file, as a gate must.
	Guarded bool
}

// ReadError says that a configuration cannot be read, or is not guarded.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string { return fmt.Sprintf("configuration %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// SyntaxError says that a configuration cannot be used because of what stands in
// it. Problems is never empty.
type SyntaxError struct{ Problems []*strictyaml.FileError }

func (e *SyntaxError) Error() string {
	text := "configuration: unusable"
	if len(e.Problems) > 0 {
		text = "configuration: " + e.Problems[0].Error()
	}
	if n := len(e.Problems); n > 1 {
		text += fmt.Sprintf(" (and %d more)", n-1)
	}
	return text
}

// Load reads the configuration at path. It fails with *ReadError, or with
// *SyntaxError, which lists all problems.
func Load(path string, o Options) (*Worker, error) {
	data, err := guard.ReadFile(path, MaxSize+1, o.Guarded) // the parser says what is too long
	if err != nil {
		return nil, &ReadError{path, err}
	}
	return Parse(filepath.Base(path), data)
}
