package pgpcert

import (
	"errors"
	"slices"
	"sync"
)

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

// Ring returns what was collected. A certificate with a flaw in any of its
// copies is of no use: what is cut off there could be its revocation.
func (l *Loader) Ring() *Ring {
	l.placeLoose()
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
		if fpr := fingerprintOf(c.Body); fpr != nil {
			ids = append(ids, keyIDOf(fpr))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// LeftOut tells about the certificates that could not be read when they were
// loaded, without checking any other.
func (r *Ring) LeftOut() []Note { return slices.Clone(r.notes) }

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

// maxUnusable is how many certificates Unusable tells about.
const maxUnusable = 8

// Unusable tells about certificates that cannot be used and have a key of the ID
// that a signature names, or whose keys are not known.
func (r *Ring) Unusable(s *Signature) []Note {
	if len(s.Issuers) == 0 {
		return nil
	}
	id := s.Issuers[0].KeyID
	var found []Note
	for _, e := range r.byKeyID[id] {
		found = e.addNote(found)
	}
	for _, n := range r.notes {
		if n.Unread || n.KeyID == 0 || n.KeyID == id {
			found = append(found, n)
		}
	}
	return found[:min(len(found), maxUnusable)]
}
