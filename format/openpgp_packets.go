package format

import (
	"fmt"
	"hash"
	"io"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/verifier"
)

// maxOpenPGPSignatures is the largest number of signatures on one runbook.
const maxOpenPGPSignatures = 8

// parsedSignature is one signature packet on its way through the checks.
type parsedSignature struct {
	*pgpcert.Signature
	err        error // the packet is not well made
	candidates []*pgpcert.Key
	digest     hash.Hash // of what was signed; nil if nobody needs it
}

// readSignatures takes the signature packets apart. Nothing but signatures may
// be among them.
func readSignatures(data []byte) ([]*parsedSignature, verifier.Verdict, verifier.Finding) {
	var parsed []*parsedSignature
	for len(data) > 0 {
		p, rest, err := pgpcert.NextPacket(data)
		switch {
		case err != nil:
			return nil, verifier.Malformed, verifier.Finding{Code: "bad-packet", Detail: "the signature block holds bytes that are no OpenPGP packet"}
		case p.Tag != pgpcert.TagSignature:
			return nil, verifier.Malformed, verifier.Finding{
				Code:   "foreign-packet",
				Detail: fmt.Sprintf("the signature block holds a packet of type %d; only signatures belong there", p.Tag),
			}
		case len(parsed) == maxOpenPGPSignatures:
			return nil, verifier.Malformed, tooManySignatures()
		}
		s, err := pgpcert.ParseSignature(p.Body)
		parsed = append(parsed, &parsedSignature{Signature: s, err: err})
		data = rest
	}
	if len(parsed) == 0 {
		return nil, verifier.Unsigned, verifier.Finding{Code: "no-signature", Detail: "the signature block is empty"}
	}
	return parsed, verifier.Valid, verifier.Finding{}
}

func tooManySignatures() verifier.Finding {
	return verifier.Finding{Code: "too-many-signatures", Detail: fmt.Sprintf("more than %d signatures", maxOpenPGPSignatures)}
}

// hash runs what was signed, which write writes, once through every hash that a
// signature by a known key needs. Version 4 signatures with the same function
// share one.
func (c *openpgpJudge) hash(write func(io.Writer) error, parsed []*parsedSignature) {
	shared := map[byte]hash.Hash{}
	var all []io.Writer
	for _, p := range parsed {
		if p.err != nil {
			continue
		}
		p.candidates = c.ring.Candidates(p.Signature)
		if len(p.candidates) == 0 {
			continue
		}
		if h, again := shared[p.HashID]; again && !p.Salted() {
			p.digest = h
			continue
		}
		h, err := p.NewHash()
		if err != nil {
			continue // it cannot be checked, and its checks say so
		}
		if !p.Salted() {
			shared[p.HashID] = h
		}
		p.digest = h
		all = append(all, h)
	}
	if len(all) > 0 {
		_ = write(io.MultiWriter(all...)) // a hash does not fail
	}
}
