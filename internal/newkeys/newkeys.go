// Package newkeys makes keys: an X.509 certificate for code signing that signed
// itself or that an authority, made with it, signed, and OpenPGP keys; as values
// and in the forms of files. "writ keys new", "writ init" and the tests use it.
//
// It stores nothing, and protects a key by a passphrase at most: keys that much
// depends on belong into a KMS, a token or an agent.
package newkeys

import "fmt"

// AlgorithmError says that keys of an algorithm are not made here.
type AlgorithmError struct{ Algorithm string }

func (e *AlgorithmError) Error() string {
	return fmt.Sprintf("key algorithm %q is not one that is made here", e.Algorithm)
}
