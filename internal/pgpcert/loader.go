package pgpcert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/keybox"
)

// MaxCertificates is the largest number of certificates in a ring.
const MaxCertificates = 100_000

// Errors about a file of certificates as a whole.
var (
	ErrNoCertificate = errors.New("no usable openpgp certificate in it")
	ErrSecretKey     = errors.New("secret keys do not belong into a trust store: export the public part, with gpg --export")
	ErrKeyDatabase   = errors.New("the key database of GnuPG's keyboxd, which only GnuPG reads: export the certificates, with gpg --export")
	ErrMixed         = errors.New("armored text and binary packets in one file, of which only a part would be read: put them into files of their own")
)

// UnusableError says that a file has certificates, none of which can be used. It
// is ErrNoCertificate too.
type UnusableError struct{ First Note }

func (e *UnusableError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrNoCertificate, e.First.Position, e.First.Err)
}

// Unwrap returns ErrNoCertificate.
func (e *UnusableError) Unwrap() error { return ErrNoCertificate }

// Note is about a certificate that cannot be used.
type Note struct {
	File string
	// Position in the file, such as "certificate 3".
	Position string
	// KeyID is that of the certificate; 0 if it is not known.
	KeyID uint64
	// Unread says that what follows in the file could not be read either.
	Unread bool
	Err    error
}

func (n Note) String() string { return fmt.Sprintf("%s: %s: %v", n.File, n.Position, n.Err) }

// Loader collects certificates from files.
type Loader struct {
	materials []*material
	byPrimary map[string]*material
	notes     []Note
	places    map[*material]Note // where each was found first
	loose     []looseRevocation
}

// NewLoader returns an empty Loader.
func NewLoader() *Loader {
	return &Loader{byPrimary: map[string]*material{}, places: map[*material]Note{}}
}

// Add reads one file that belongs to no store; see AddTo.
func (l *Loader) Add(name string, data []byte) error { return l.AddTo("", name, data) }

// AddTo reads one file of a store: armored with one or more blocks, binary, or a
// GnuPG keybox; a revocation certificate, which is a signature alone, too. A
// certificate that cannot be used is noted. AddTo fails with *UnusableError if
// none of several can be, with ErrNoCertificate if nothing begins like one, with
// ErrSecretKey, with ErrKeyDatabase, with ErrMixed, with the error of the
// container, or if a revocation cannot be read. Copies of one certificate become one, of whatever
// stores they are.
func (l *Loader) AddTo(store, name string, data []byte) error {
	blocks, err := keyblocks(data)
	if err != nil {
		return err
	}
	before := len(l.notes)
	usable := 0
	for _, b := range blocks {
		if b.err != nil {
			if err := l.noteBroken(name, b); err != nil {
				return err
			}
			continue
		}
		n, err := l.addKeyblock(store, name, b)
		if err != nil {
			return err
		}
		usable += n
	}
	switch {
	case usable > 0:
		return nil
	case len(l.notes) == before:
		return ErrNoCertificate
	case slices.ContainsFunc(blocks, func(b keyblock) bool { return beginsWith(b.packets, TagPublicKey) }):
		return &UnusableError{l.notes[before]}
	default: // it could be a revocation as well
		return fmt.Errorf("%w: %s: %w", ErrNoCertificate, l.notes[before].Position, l.notes[before].Err)
	}
}

// keyblock is a run of packets in a file.
type keyblock struct {
	position string
	packets  []byte // of a run that cannot be used, what could be read of it
	err      error
}

// keyblocks takes a file apart by its container.
func keyblocks(data []byte) ([]keyblock, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.HasPrefix(data, []byte("SQLite format 3\x00")):
		return nil, ErrKeyDatabase
	case keybox.Is(data):
		return keyboxBlocks(data)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, fmt.Errorf("%w: text in UTF-16, as PowerShell redirects it: save it as UTF-8, or use gpg --output", ErrNoCertificate)
	case len(data) > 0 && data[0]&0x80 != 0:
		return []keyblock{{position: "the file", packets: data}}, nil
	default:
		return armoredBlocks(data)
	}
}

func keyboxBlocks(data []byte) ([]keyblock, error) {
	blobs, err := keybox.Read(data)
	if err != nil {
		return nil, err
	}
	var blocks []keyblock
	for _, b := range blobs {
		blocks = append(blocks, keyblock{fmt.Sprintf("blob at %d", b.Offset), b.Packets, b.Err})
	}
	return blocks, nil
}

func armoredBlocks(data []byte) ([]keyblock, error) {
	armored, err := cleartext.Dearmor(data)
	if err != nil {
		return nil, err
	}
	if len(armored) == 0 {
		return nil, fmt.Errorf("%w: no armored block, and it does not begin with a packet", ErrNoCertificate)
	}
	// Text around the blocks is left out. Packets there could be a revocation.
	if slices.ContainsFunc(data, func(b byte) bool { return b < ' ' && (b < '\t' || b > '\r') }) {
		return nil, ErrMixed
	}
	var blocks []keyblock
	for _, b := range armored {
		position := fmt.Sprintf("block at line %d", b.Line)
		switch b.Label {
		case "PGP PUBLIC KEY BLOCK", "PGP SIGNATURE": // as Sequoia labels a revocation
			blocks = append(blocks, keyblock{position, b.Data, b.Err})
		case "PGP PRIVATE KEY BLOCK", "PGP SECRET KEY BLOCK":
			return nil, fmt.Errorf("%s: %w", position, ErrSecretKey)
		default:
			blocks = append(blocks, keyblock{position: position, err: errors.New("an armored block that is no certificate")})
		}
	}
	return blocks, nil
}

// noteBroken tells about a run that cannot be used. The certificates that can be
// made out in it are not used in any other copy either: what is broken there
// could be their revocation.
func (l *Loader) noteBroken(name string, b keyblock) error {
	primaries, err := b.primaries(b.err)
	if err != nil {
		return fmt.Errorf("%s: %w", b.position, err)
	}
	note := Note{File: name, Position: b.position, Unread: len(b.packets) > 0, Err: b.err}
	named := false
	for _, p := range primaries {
		if fpr := fingerprintOf(p.Body); fpr != nil {
			note.KeyID, named = keyIDOf(fpr), true
			l.notes = append(l.notes, note)
		}
	}
	if !named {
		l.notes = append(l.notes, note)
	}
	return nil
}

// primaries returns the primary keys that can be made out in a run that cannot be
// used, for this cause. It fails for a revocation and for a secret key, with which no
// file can be used.
func (b keyblock) primaries(cause error) (keys []Packet, err error) {
	if beginsWith(b.packets, TagSignature) {
		return nil, fmt.Errorf("a revocation that cannot be read: %w", cause)
	}
	for rest := b.packets; len(rest) > 0; {
		p, next, bad := NextPacket(rest)
		if bad != nil {
			return keys, nil //nolint:nilerr // that the run is broken is known
		}
		rest = next
		switch p.Tag {
		case TagSecretKey, TagSecretSubkey:
			return nil, ErrSecretKey
		case TagPublicKey:
			keys = append(keys, p)
		}
	}
	return keys, nil
}

// addKeyblock collects the certificates of one run of packets, and returns how
// many look usable.
func (l *Loader) addKeyblock(store, name string, b keyblock) (int, error) {
	usable, number := 0, 0
	var current *material
	var bad error
	unread := false
	finish := func() {
		if current == nil {
			return
		}
		note := Note{File: name, Position: fmt.Sprintf("%s, certificate %d", b.position, number), Unread: unread, Err: bad}
		current.stores = []string{store}
		if l.keep(current, note) {
			usable++
		}
		current, bad = nil, nil
	}
	for rest := b.packets; len(rest) > 0; {
		p, next, err := NextPacket(rest)
		if err != nil {
			if current == nil {
				current, number = &material{}, number+1
			}
			if bytes.HasPrefix(bytes.TrimSpace(rest), []byte("-----BEGIN PGP ")) {
				return 0, ErrMixed
			}
			bad = fmt.Errorf("at byte %d: %w; what follows is not read", len(b.packets)-len(rest), err)
			unread = true
			break
		}
		rest = next
		switch p.Tag {
		case TagSecretKey, TagSecretSubkey:
			return 0, fmt.Errorf("%s: %w", b.position, ErrSecretKey)
		case TagPublicKey:
			finish()
			number++
			current = &material{primary: p}
		default:
			if current == nil && p.Tag == TagSignature && claimedType(p.Body) == typeKeyRevocation {
				if err := l.addLoose(p); err != nil {
					return 0, fmt.Errorf("%s: %w", b.position, err)
				}
				usable++
				continue
			}
			if current == nil {
				current, number, bad = &material{}, number+1, errors.New("no key before its other packets")
			}
			if err := current.add(p); err != nil && bad == nil {
				bad = err
			}
			if err := l.addAstray(p, current); err != nil {
				return 0, fmt.Errorf("%s: %w", b.position, err)
			}
		}
	}
	finish()
	return usable, nil
}

// add takes over one packet behind the primary key.
func (m *material) add(p Packet) error {
	if m.packets++; m.packets > MaxPackets {
		return fmt.Errorf("more than %d packets", MaxPackets)
	}
	switch p.Tag {
	case TagSignature:
		if m.last == nil {
			m.onPrimary = append(m.onPrimary, p)
			return nil
		}
		m.last.signatures = append(m.last.signatures, p)
	case TagUserID, TagUserAttribute, TagPublicSubkey:
		m.last = m.component(p)
	case TagTrust, TagMarker, TagPadding:
		// Trust packets are GnuPG's notes to itself and are never believed.
	default:
		if p.Tag < firstIgnorable {
			return fmt.Errorf("a packet of type %d does not belong into a certificate", p.Tag)
		}
	}
	return nil
}

// keep merges a certificate with other copies of it; it reports whether its
// primary key can be read.
func (l *Loader) keep(m *material, note Note) bool {
	if fpr := fingerprintOf(m.primary.Body); fpr != nil {
		note.KeyID = keyIDOf(fpr)
	}
	if note.Err == nil {
		_, note.Err = newKey(m.primary)
	}
	if note.Err == nil && len(l.materials) == MaxCertificates {
		note.Err = fmt.Errorf("more than %d certificates", MaxCertificates)
	}
	if note.Err != nil {
		l.notes = append(l.notes, note)
		return false
	}
	id := string(m.primary.Body)
	if first, again := l.byPrimary[id]; again {
		first.merge(m)
		return true
	}
	l.byPrimary[id] = m
	l.materials = append(l.materials, m)
	l.places[m] = note
	return true
}

// keyIDOf is the key ID that belongs to a fingerprint.
func keyIDOf(fingerprint []byte) uint64 {
	if len(fingerprint) == 20 {
		return binary.BigEndian.Uint64(fingerprint[12:])
	}
	return binary.BigEndian.Uint64(fingerprint)
}
