package policy

import (
	"fmt"

	"github.com/runwrit/writ/internal/strictyaml"
)

// FileError is one problem of one file of a policy. File is the name inside the
// policy folder.
type FileError = strictyaml.FileError

// SyntaxError says that a policy cannot be used because of what stands in it:
// it is for the author of the policy to mend. Problems is never empty.
type SyntaxError struct {
	Problems []*FileError
}

func (e *SyntaxError) Error() string {
	switch n := len(e.Problems); n {
	case 0:
		return "policy: unusable"
	case 1:
		return "policy: " + e.Problems[0].Error()
	default:
		return fmt.Sprintf("policy: %v (and %d more)", e.Problems[0], n-1)
	}
}

// FolderError says that a policy folder cannot be read, or is not guarded: it
// is for the operator of the machine to mend.
type FolderError struct {
	Path string
	Err  error
}

func (e *FolderError) Error() string { return fmt.Sprintf("policy folder %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *FolderError) Unwrap() error { return e.Err }

// InputError says that a question to the policy is malformed: a path, a caller,
// a worker, or a time that cannot be decided on.
type InputError struct {
	Field string // as in the input document, such as "runbook.path"
	Msg   string
}

func (e *InputError) Error() string { return fmt.Sprintf("policy input: %s: %s", e.Field, e.Msg) }

// ArgumentError says that the arguments for a runbook cannot be decided on.
type ArgumentError struct {
	Position int    // in the list of arguments, counts from 1; 0 for all of them
	Name     string // "" for a positional argument
	Msg      string
}

func (e *ArgumentError) Error() string {
	switch {
	case e.Position == 0:
		return "arguments: " + e.Msg
	case e.Name == "":
		return fmt.Sprintf("argument %d: %s", e.Position, e.Msg)
	default:
		return fmt.Sprintf("argument %d (%q): %s", e.Position, e.Name, e.Msg)
	}
}
