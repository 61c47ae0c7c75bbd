// Package newkeys makes throw-away keys: an X.509 certificate authority with a
// code-signing leaf, and OpenPGP keys, both as values and in the forms of files.
// "writ init" and the tests use it.
//
// The keys are good, but nothing here stores or protects them: they are for
// trying writ out and for tests, not for production.
package newkeys

import "fmt"

// AlgorithmError says that keys of an algorithm are not made here.
type AlgorithmError struct{ Algorithm string }

func (e *AlgorithmError) Error() string {
	return fmt.Sprintf("key algorithm %q is not one that is made here", e.Algorithm)
}
