package signer

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of what an encrypted key file may ask for. OpenSSL writes 2,048 PBKDF2
// iterations by default, careful people a million.
const (
	maxIterations   = 10_000_000
	maxScryptMemory = 256 << 20 // 128 * N * r, in bytes
	maxScryptWork   = 1 << 24   // N * r * p
	maxDerivedKey   = 64
	maxDERDepth     = 32
	maxDERNodes     = 20_000
)

// boundKDF walks DER, also inside octet strings, and refuses any derivation of
// a key from a passphrase that would cost too much time or memory. All forms in
// use (PBES1 and PBES2, PBKDF2, scrypt, the MAC of PKCS#12) write a salt and
// then the costs: an octet string directly followed by integers, which nothing
// else in a key file is.
func boundKDF(der []byte) error {
	w := &kdfWalk{nodes: maxDERNodes}
	return w.all(cryptobyte.String(der), 0)
}

var errNotDER = errors.New("not DER")

type kdfWalk struct{ nodes int }

func (w *kdfWalk) all(s cryptobyte.String, depth int) error {
	if depth > maxDERDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDERDepth)
	}
	var costs []uint64
	inCosts := false
	for !s.Empty() {
		if w.nodes--; w.nodes < 0 {
			return fmt.Errorf("more than %d elements", maxDERNodes)
		}
		var body cryptobyte.String
		var tag asn1.Tag
		start := s
		if !s.ReadAnyASN1(&body, &tag) {
			return errNotDER
		}
		switch {
		case tag == asn1.OCTET_STRING:
			inCosts, costs = true, nil
			if err := w.inside(body, depth+1); err != nil {
				return err
			}
			continue
		case tag == asn1.INTEGER && inCosts:
			var cost uint64
			if !start.ReadASN1Integer(&cost) {
				return errors.New("a key derivation with a cost out of bounds")
			}
			if costs = append(costs, cost); len(costs) > 4 {
				return errors.New("a key derivation with too many parameters")
			}
			if err := checkCosts(costs); err != nil {
				return err
			}
			continue
		}
		inCosts = false
		if tag&0x20 != 0 { // constructed
			if err := w.all(body, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCosts judges the integers after a salt: iterations and perhaps a key
// length, or N, r, p and perhaps a key length of scrypt.
func checkCosts(costs []uint64) error {
	if costs[0] == 0 || costs[0] > maxIterations {
		return fmt.Errorf("a key derivation of %d iterations: the limit is %d", costs[0], maxIterations)
	}
	switch n := costs[0]; len(costs) {
	case 2:
		if costs[1] > maxDerivedKey {
			return errors.New("a key derivation with a cost out of bounds")
		}
	case 3, 4:
		r, p := costs[1], costs[2]
		if r > maxDerivedKey || p > maxDerivedKey || 128*n*r > maxScryptMemory || n*r*p > maxScryptWork {
			return fmt.Errorf("an scrypt key derivation (N=%d r=%d p=%d) that is too expensive", n, r, p)
		}
	}
	return nil
}

// inside walks an octet string that holds DER. A short one may look like DER by
// chance: salts and digests are random.
func (w *kdfWalk) inside(s cryptobyte.String, depth int) error {
	if !looksLikeDER(s) {
		return nil
	}
	err := w.all(s, depth)
	if errors.Is(err, errNotDER) && len(s) < 128 {
		return nil
	}
	return err
}

// looksLikeDER says whether an octet string holds one DER sequence.
func looksLikeDER(s cryptobyte.String) bool {
	var body cryptobyte.String
	return s.ReadASN1(&body, asn1.SEQUENCE) && s.Empty()
}
