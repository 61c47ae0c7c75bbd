package pgpcert

import (
	"crypto/rsa"
	"hash"

	"github.com/runwrit/writ/internal/rsasig"
)

// Proof is what checking a signature's value came to.
type Proof struct {
	// TagMatches says that the first two bytes of the digest are those that the
	// packet names. They are not signed: the tag tells an accident or an edited
	// text from a wrong signature, and proves nothing.
	TagMatches bool
	// Valid says that the value is right for the digest and the key.
	Valid bool
}

// Verify checks the value of s under k, over what was written to h, a hash from
// s.NewHash or a clone of it. It uses h up.
func (k *Key) Verify(s *Signature, h hash.Hash) Proof {
	var p Proof
	if s.maths == nil || s.Version != k.public.Version {
		return p
	}
	signed, ok := h.(hash.Cloner)
	if !ok {
		return p
	}
	digest, err := signed.Clone()
	if err != nil {
		return p
	}
	_, _ = digest.Write(s.suffix) // a hash does not fail
	sum := digest.Sum(nil)
	p.TagMatches = s.tag == [2]byte(sum)
	if valid, known := k.verifyRSA(s, sum); known {
		p.Valid = valid
		return p
	}
	p.Valid = k.public.VerifySignature(h, s.maths) == nil
	return p
}

// verifyRSA checks RSA signatures of version 4 faster than go-crypto does; known
// is false for all others.
func (k *Key) verifyRSA(s *Signature, sum []byte) (valid, known bool) {
	public, ok := k.public.PublicKey.(*rsa.PublicKey)
	if !ok || s.Version != 4 || s.maths.RSASignature == nil || !k.public.CanSign() || byte(k.public.PubKeyAlgo) != s.Algorithm {
		return false, false
	}
	number := s.maths.RSASignature.Bytes()
	if len(number) > public.Size() {
		return false, true
	}
	value := make([]byte, public.Size()) // with the zeros in front that a multiprecision integer does not keep
	copy(value[len(value)-len(number):], number)
	return rsasig.Verify(public, s.Hash, sum, value), true
}
