package pgpcert

import (
	"fmt"
	"slices"
	"strings"
)

// Block is one certificate of a file as it stands there, all copies of it one
// after the other, or the revocations that stand in it by themselves.
type Block struct {
	// Fingerprint of the primary key, upper-case hexadecimal; "" for revocations,
	// and for what cannot be read.
	Fingerprint string
	// Position of the first copy in the file, such as "block at line 1".
	Position string
	// Packets of it, without the notes that GnuPG makes for itself.
	Packets []byte
	// Err says why it cannot be used; the rest is not whole then.
	Err error
}

// Split takes a file of certificates apart, in any form that a Loader reads. It
// checks nothing but the form: a Loader has to read what it gives out. It fails as
// AddTo does, and with an error for more than limit blocks.
func Split(data []byte, limit int) ([]Block, error) {
	runs, err := keyblocks(data)
	if err != nil {
		return nil, err
	}
	s := &splitter{limit: limit, byPrimary: map[string]int{}}
	for _, run := range runs {
		if run.err != nil {
			if err := s.broken(run, run.err); err != nil {
				return nil, fmt.Errorf("%s: %w", run.position, err)
			}
			continue
		}
		if err := s.add(run); err != nil {
			return nil, fmt.Errorf("%s: %w", run.position, err)
		}
	}
	if len(s.blocks) == 0 {
		return nil, ErrNoCertificate
	}
	return s.blocks, nil
}

type splitter struct {
	limit     int
	blocks    []Block
	byPrimary map[string]int // where in blocks, by the body of the primary key
}

// block returns the place of the block of this key, and of the revocations for
// the key "".
func (s *splitter) block(key, fingerprint, position string) (int, error) {
	if at, known := s.byPrimary[key]; known {
		return at, nil
	}
	if len(s.blocks) == s.limit {
		return 0, fmt.Errorf("more than %d certificates", s.limit)
	}
	s.byPrimary[key] = len(s.blocks)
	s.blocks = append(s.blocks, Block{Fingerprint: fingerprint, Position: position})
	return len(s.blocks) - 1, nil
}

// broken keeps what is known of a run that cannot be used. No certificate that
// begins in it is usable in another copy either: what is broken here could be its
// revocation.
func (s *splitter) broken(run keyblock, cause error) error {
	primaries, err := run.primaries(cause)
	if err != nil {
		return err
	}
	for _, p := range primaries {
		at, err := s.certificate(p, run.position)
		if err != nil {
			return err
		}
		s.blocks[at].Err = cause
	}
	if len(primaries) > 0 {
		return nil
	}
	at, err := s.block("broken "+run.position, "", run.position)
	if err == nil {
		s.blocks[at].Err = cause
	}
	return err
}

func (s *splitter) certificate(p Packet, position string) (int, error) {
	return s.block("key "+string(p.Body), strings.ToUpper(fmt.Sprintf("%x", fingerprintOf(p.Body))), position)
}

// add puts each packet of a run to the certificate that it stands behind, and what
// stands before any to the revocations.
func (s *splitter) add(run keyblock) error {
	current := -1
	var primary []byte // fingerprint of the current one
	for rest := run.packets; len(rest) > 0; {
		p, next, err := NextPacket(rest)
		if err != nil {
			return s.broken(run, fmt.Errorf("at byte %d: %w", len(run.packets)-len(rest), err))
		}
		raw := rest[:len(rest)-len(next)]
		rest = next
		switch {
		case p.Tag == TagSecretKey, p.Tag == TagSecretSubkey:
			return ErrSecretKey
		case p.Tag == TagTrust, p.Tag == TagMarker, p.Tag == TagPadding:
			continue
		case p.Tag == TagPublicKey:
			if current, err = s.certificate(p, run.position); err != nil {
				return err
			}
			primary = fingerprintOf(p.Body)
		case current < 0 || ofAnother(p, primary):
			at, err := s.block("", "", run.position)
			if err != nil {
				return err
			}
			s.blocks[at].Packets = append(s.blocks[at].Packets, raw...)
			if current < 0 {
				continue
			}
		}
		s.blocks[current].Packets = append(s.blocks[current].Packets, raw...)
	}
	return nil
}

// ofAnother tells a revocation that names another key than the one that it stands
// behind: that is where it comes to stand when files are joined.
func ofAnother(p Packet, primary []byte) bool {
	if p.Tag != TagSignature || claimedType(p.Body) != typeKeyRevocation {
		return false
	}
	s, err := parseHead(p.Body, false)
	return err == nil && slices.ContainsFunc(s.Issuers, func(i Issuer) bool { return primary == nil || i.KeyID != keyIDOf(primary) })
}
