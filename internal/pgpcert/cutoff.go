package pgpcert

import (
	"fmt"
	"time"
)

// use is what an algorithm is used for.
type use int

const (
	overData use = iota // a signature over text
	inside              // a self-signature, binding or back-signature
	asKey               // the signing key, or the primary key above it
)

// cutoff is an algorithm that is not strong enough, from some day on.
type cutoff struct {
	algorithm string // a hash function as HashName gives it, or rsa, dsa
	use       use
	below     int       // only keys of fewer bits; 0 for all
	since     time.Time // zero: at all times, whatever the clock says
}

// rsa112 is when keys of 112 bits of strength are no longer good enough (NIST SP
// 800-57 part 1, table 4).
var rsa112 = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)

// cutoffs are all algorithms that are refused or will be, judged by the time
// that the verifier has now, never by that of a signature. What has been broken
// for years has no day, so that a wrong clock brings nothing back. What is not
// known at all is not here: it is not supported.
var cutoffs = []cutoff{
	{algorithm: "MD5", use: overData},
	{algorithm: "MD5", use: inside},
	{algorithm: "RIPEMD160", use: overData},
	{algorithm: "RIPEMD160", use: inside},
	{algorithm: sha1Name, use: overData},
	{algorithm: sha1Name, use: inside}, // Rules.AcceptSHA1 lifts this one
	{algorithm: "SHA224", use: overData},
	{algorithm: "SHA224", use: inside},
	{algorithm: dsaName, use: asKey},
	{algorithm: rsaName, use: asKey, below: 2048},
	{algorithm: rsaName, use: asKey, below: 3072, since: rsa112},
}

// Names of the table that stand elsewhere too.
const (
	sha1Name = "SHA1"
	rsaName  = "rsa"
	dsaName  = "dsa"
)

// find returns the entry that applies first; nil for none.
func find(algorithm string, u use, bits int) *cutoff {
	for i, c := range cutoffs {
		if c.algorithm == algorithm && c.use == u && (c.below == 0 || bits < c.below) {
			return &cutoffs[i]
		}
	}
	return nil
}

func (c *cutoff) refuses(now time.Time) bool {
	return c != nil && (c.since.IsZero() || !now.Before(c.since))
}

// WeakHash reports whether the hash function is not good enough for a signature
// over text.
func (s *Signature) WeakHash(now time.Time) bool {
	return find(s.HashName(), overData, 0).refuses(now)
}

// weakInside reports the same of a signature inside a certificate.
func (s *Signature) weakInside(r Rules) bool {
	if r.AcceptSHA1 && s.HashName() == sha1Name {
		return false
	}
	return find(s.HashName(), inside, 0).refuses(r.Now)
}

// weak says that the key is not good enough, "" if it is.
func (k *Key) weak(now time.Time) string {
	c := find(k.family, asKey, k.Bits)
	switch {
	case !c.refuses(now):
		return ""
	case c.since.IsZero():
		return k.Algorithm
	default:
		return fmt.Sprintf("%s, which is refused since %s", k.Algorithm, c.since.Format(time.DateOnly))
	}
}

// Until returns the day from which on the key is too weak; zero for none.
func (k *Key) Until() time.Time {
	if c := find(k.family, asKey, k.Bits); c != nil {
		return c.since
	}
	return time.Time{}
}
