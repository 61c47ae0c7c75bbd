// Package render writes finished results for people and for programs, one file
// per output format.
//
// It judges nothing: what it is given decides the exit code long before, and an
// error of a renderer is an error of writing only. Nothing that comes from an
// input (a path, a subject, a message about bytes) leaves it with a control
// character, an escape sequence or a bidirectional control in it.
package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/lint"
	"github.com/runwrit/writ/policy/policytest"
	"github.com/runwrit/writ/policy/store"
	"github.com/runwrit/writ/policy/whatif"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// File is what was found out about one file, under the path by which the user
// named it; "-" for standard input.
type File struct {
	Path   string
	Report *verifier.Report
}

// Inspection is what `writ inspect` has to say about one file.
type Inspection struct {
	File
	// Judged says that trust was given. Without it no signer is known, and what
	// the report says about trust is no statement about the signer.
	Judged bool
}

// Version says which program this is.
type Version struct {
	Version string   `json:"version"`
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Formats []string `json:"formats"`
}

// Chain is what was found out about a ledger. Damage is nil if it is intact;
// Summary is then of the whole, else of the intact beginning.
type Chain struct {
	Path    string
	Summary ledger.Summary
	Damage  *ledger.ChainError
}

// Replay is what another policy makes of the decisions of the ledger at Path.
type Replay struct {
	Path string
	*whatif.Comparison
}

// Recovered is what was found of lost runs in the ledger at Path.
type Recovered struct {
	Path string
	worker.Recovered
}

// RecordWriter writes the records of a ledger one by one: a ledger may be
// larger than memory. Close writes what belongs at the end, once.
type RecordWriter interface {
	Write(r ledger.Record) error
	Close() error
}

// Renderer writes results in one output format.
type Renderer interface {
	Verify(w io.Writer, files []File) error
	Inspect(w io.Writer, i Inspection) error
	Audit(w io.Writer, r *audit.Result) error
	// Sign is of a batch of files that were signed, or looked at with --check.
	Sign(w io.Writer, s Signing) error
	// Project is of a folder and its manifest.
	Project(w io.Writer, p Project) error
	Version(w io.Writer, v Version) error
	// Key is of the public half of a key.
	Key(w io.Writer, k KeyShown) error
	// PolicyProblems writes what is wrong with a policy, or that nothing is.
	PolicyProblems(w io.Writer, problems []*policy.FileError) error
	Decision(w io.Writer, d policy.Decision) error
	Explanation(w io.Writer, x policy.Explanation) error
	// Replay is what another policy makes of a ledger.
	Replay(w io.Writer, r Replay) error
	PolicyTests(w io.Writer, r *policytest.Report) error
	// Matrix is of a library; MatrixHTML writes it as a page.
	Matrix(w io.Writer, m Matrix) error
	PolicyFindings(w io.Writer, findings []lint.Finding) error
	// Bundle, PolicyStore and Activation are of policy bundles and where they are kept.
	Bundle(w io.Writer, b Bundle) error
	PolicyStore(w io.Writer, p PolicyStore) error
	Activation(w io.Writer, a *store.Activation) error
	// TrustListing, TrustFound and TrustAddition are of trust stores, and of what can
	// be added to them.
	TrustListing(w io.Writer, l TrustListing) error
	TrustFound(w io.Writer, f TrustFound) error
	TrustAddition(w io.Writer, t TrustAddition) error
	// Chain and Records are of a ledger.
	Chain(w io.Writer, c Chain) error
	Records(w io.Writer) RecordWriter
	// Doctor is of a host.
	Doctor(w io.Writer, r *doctor.Report) error
	Recovered(w io.Writer, r Recovered) error
}

// FormatError says that there is no format of this name.
type FormatError struct {
	Name string
	Want []string // the names that there are
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("unknown output format %q: want %s", e.Name, strings.Join(e.Want, " or "))
}

// Formats returns the names of the output formats.
func Formats() []string { return []string{"text", "json"} }

// New returns the renderer of the output format of this name, or *FormatError.
func New(name string) (Renderer, error) {
	switch name {
	case "text":
		return textRenderer{}, nil
	case "json":
		return jsonRenderer{}, nil
	}
	return nil, &FormatError{name, Formats()}
}
