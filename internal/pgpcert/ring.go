package pgpcert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

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
)

// Note is about a certificate that cannot be used.
type Note struct {
	File string
	// Position in the file, such as "certificate 3".
	Position string
	// KeyID is that of the certificate; 0 if it is not known.
	KeyID uint64
	Err   error
}

func (n Note) String() string { return fmt.Sprintf("%s: %s: %v", n.File, n.Position, n.Err) }

// Loader collects certificates from files.
type Loader struct {
	materials []*material
	byPrimary map[string]*material
	notes     []Note
	places    map[*material]Note // where each was found first
}

// NewLoader returns an empty Loader.
func NewLoader() *Loader {
	return &Loader{byPrimary: map[string]*material{}, places: map[*material]Note{}}
}

// Ring holds certificates. Nothing that can be seen of it ever changes: each
// certificate is checked once, by whoever asks for one of its keys first.
type Ring struct {
	entries []*entry
	byKeyID map[uint64][]*entry // by the IDs of all their keys
	notes   []Note
}

// entry is a certificate that may not have been checked yet.
type entry struct {
	load func() (*Certificate, error) // safe for several goroutines
	note Note
}

// Add reads one file: armored with one or more blocks, binary, or a GnuPG
// keybox. A certificate that cannot be used is noted; Add fails with
// ErrNoCertificate if none can be, with ErrSecretKey, with ErrKeyDatabase, or
// with the error of the container.
func (l *Loader) Add(name string, data []byte) error {
	blocks, err := keyblocks(data)
	if err != nil {
		return err
	}
	before := len(l.notes)
	usable := 0
	for _, b := range blocks {
		if b.err != nil {
			l.notes = append(l.notes, Note{File: name, Position: b.position, Err: b.err})
			continue
		}
		n, err := l.addKeyblock(name, b)
		if err != nil {
			return err
		}
		usable += n
	}
	if usable == 0 {
		if len(l.notes) > before {
			return fmt.Errorf("%w: %s: %w", ErrNoCertificate, l.notes[before].Position, l.notes[before].Err)
		}
		return ErrNoCertificate
	}
	return nil
}

// keyblock is a run of packets in a file.
type keyblock struct {
	position string
	packets  []byte
	err      error
}

// keyblocks takes a file apart by its container.
func keyblocks(data []byte) ([]keyblock, error) {
	switch {
	case bytes.HasPrefix(data, []byte("SQLite format 3\x00")):
		return nil, ErrKeyDatabase
	case keybox.Is(data):
		blobs, err := keybox.Read(data)
		if err != nil {
			return nil, err
		}
		var blocks []keyblock
		for _, b := range blobs {
			blocks = append(blocks, keyblock{fmt.Sprintf("blob at %d", b.Offset), b.Packets, b.Err})
		}
		return blocks, nil
	case len(data) > 0 && data[0]&0x80 != 0 && !bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return []keyblock{{position: "the file", packets: data}}, nil
	}
	armored, err := cleartext.Dearmor(data)
	if err != nil {
		return nil, err
	}
	var blocks []keyblock
	for _, b := range armored {
		position := fmt.Sprintf("block at line %d", b.Line)
		switch b.Label {
		case "PGP PUBLIC KEY BLOCK":
			blocks = append(blocks, keyblock{position: position, packets: b.Data})
		case "PGP PRIVATE KEY BLOCK", "PGP SECRET KEY BLOCK":
			return nil, fmt.Errorf("%s: %w", position, ErrSecretKey)
		default:
			blocks = append(blocks, keyblock{position: position, err: errors.New("an armored block that is no certificate")})
		}
	}
	return blocks, nil
}

// addKeyblock collects the certificates of one run of packets, and returns how
// many look usable.
func (l *Loader) addKeyblock(name string, b keyblock) (int, error) {
	usable, number := 0, 0
	var current *material
	var bad error
	finish := func() {
		if current == nil {
			return
		}
		note := Note{File: name, Position: fmt.Sprintf("%s, certificate %d", b.position, number), Err: bad}
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
			bad = fmt.Errorf("at byte %d: %w", len(b.packets)-len(rest), err)
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
			if current == nil {
				current, number, bad = &material{}, number+1, errors.New("no key before its other packets")
			}
			if err := current.add(p); err != nil && bad == nil {
				bad = err
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

// Ring returns what was collected. A certificate with a flaw in any of its
// copies is of no use: what is cut off there could be its revocation.
func (l *Loader) Ring() *Ring {
	r := &Ring{byKeyID: map[uint64][]*entry{}, notes: slices.Clone(l.notes)}
	spoiled := map[uint64]bool{}
	for _, n := range l.notes {
		spoiled[n.KeyID] = n.KeyID != 0
	}
	for _, m := range l.materials {
		e := &entry{note: l.places[m]}
		if spoiled[e.note.KeyID] {
			e.load = func() (*Certificate, error) {
				return nil, errors.New("another copy of this certificate cannot be read")
			}
		} else {
			e.load = sync.OnceValues(func() (*Certificate, error) { return newCertificate(m) })
		}
		r.entries = append(r.entries, e)
		for _, id := range m.keyIDs() {
			r.byKeyID[id] = append(r.byKeyID[id], e)
		}
	}
	return r
}

// keyIDs returns the IDs of all keys, each once.
func (m *material) keyIDs() []uint64 {
	ids := []uint64{keyIDOf(fingerprintOf(m.primary.Body))}
	for _, c := range m.components {
		if c.Tag != TagPublicSubkey {
			continue
		}
		if fpr := fingerprintOf(c.Body); fpr != nil && !slices.Contains(ids, keyIDOf(fpr)) {
			ids = append(ids, keyIDOf(fpr))
		}
	}
	return ids
}

// Certificates checks and returns all usable certificates.
func (r *Ring) Certificates() []*Certificate {
	var all []*Certificate
	for _, e := range r.entries {
		if c, err := e.load(); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// Notes checks all certificates and tells about those that cannot be used.
func (r *Ring) Notes() []Note {
	notes := slices.Clone(r.notes)
	for _, e := range r.entries {
		notes = e.addNote(notes)
	}
	return notes
}

func (e *entry) addNote(notes []Note) []Note {
	if _, err := e.load(); err != nil {
		note := e.note
		note.Err = err
		notes = append(notes, note)
	}
	return notes
}

// Candidates returns the keys that a signature may be by: those that it names,
// be it only by a key ID that several share.
func (r *Ring) Candidates(s *Signature) []*Key {
	if len(s.Issuers) == 0 {
		return nil
	}
	var keys []*Key
	for _, e := range r.byKeyID[s.Issuers[0].KeyID] {
		c, err := e.load()
		if err != nil {
			continue
		}
		for _, k := range c.keys {
			if s.names(k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// Unusable tells about certificates that cannot be used and have a key of the ID
// that a signature names.
func (r *Ring) Unusable(s *Signature) []Note {
	var found []Note
	for _, i := range s.Issuers[:min(1, len(s.Issuers))] {
		for _, n := range r.notes {
			if n.KeyID != 0 && n.KeyID == i.KeyID {
				found = append(found, n)
			}
		}
		for _, e := range r.byKeyID[i.KeyID] {
			found = e.addNote(found)
		}
	}
	return found
}
