// Package witness stands before a private key that somebody else keeps and
// remembers how it answered: a library between may drop its error. It does not
// check the answer.
package witness

import (
	"crypto"
	"fmt"
	"io"
)

// Signer asks a private key and remembers the last error. It is for one signature
// and one goroutine.
type Signer struct {
	private crypto.Signer
	failed  error
}

// New returns a witness of private.
func New(private crypto.Signer) *Signer { return &Signer{private: private} }

// Public implements crypto.Signer.
func (s *Signer) Public() crypto.PublicKey { return s.private.Public() }

// Failed is why the key did not sign, nil if it did or was not asked.
func (s *Signer) Failed() error { return s.failed }

// Sign implements crypto.Signer. A panic of the key is an error: what its keeper
// answers must not end the program.
func (s *Signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			signature, err = nil, fmt.Errorf("the key's keeper failed: %v", r)
		}
		s.failed = err
	}()
	return s.private.Sign(rand, digest, opts)
}
