// Package signer signs runbooks: it loads keys, has a signature format make the
// signed bytes, has them verified, and only then puts them in place. In the same
// way it puts back what was signed where a file was damaged. It asks timestamp
// authorities, over the network, if it is told to; for nothing else. For a key
// that GnuPG keeps it starts gpg; for one in a KMS it has Sigstore's client start
// a plugin or, built with the tag cloudkms, talk to the service. It starts no other
// process, and none to verify.
//
// It does not verify by itself (the caller hands in a verifier) and it never
// judges whether a signer may sign a runbook: that is policy, on the worker.
package signer

import (
	"context"
	"fmt"

	"github.com/runwrit/writ/runbook"
)

// Format is the signing half of one signature format.
type Format interface {
	// Name is the stable word for the format, such as "authenticode".
	Name() string
	// OutputName is the name of the file that holds the signed form of the
	// runbook of this name: the same name where the signature goes into the file.
	OutputName(name string) string
	// Sign returns the signed form of rb. Where the signature goes into the file,
	// one of this format that rb already carries is replaced. It fails with
	// *InputError if the runbook cannot be signed as it is, and with *KeyError if
	// the key does not fit the format.
	Sign(ctx context.Context, rb *runbook.Runbook, key *Key) ([]byte, error)
}

// Beside is a Format whose signed form is a signature in a file of its own beside
// the runbook, over the runbook's exact bytes. A verifier is given the runbook with
// that file as its sidecar.
type Beside interface {
	Format
	// IsSignature says whether data is such a file, which may be replaced.
	IsSignature(data []byte) bool
}

// InputError says that a runbook cannot be signed as it is.
type InputError struct {
	Name string // the runbook's; its path, where it was read from a file
	Line int    // from 1; 0 where no line is to blame
	Msg  string
	// Fix says what to do about it; may be empty.
	Fix string
}

func (e *InputError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%q: line %d: %s", e.Name, e.Line, e.Msg)
	}
	return fmt.Sprintf("%q: %s", e.Name, e.Msg)
}

// KeyError says that a key cannot be loaded, or does not fit the format.
type KeyError struct {
	Source string // where the key comes from, never the key
	Msg    string
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %q: %s", e.Source, e.Msg) }
