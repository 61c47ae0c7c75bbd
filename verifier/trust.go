package verifier

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/runbook"
)

// Limits of a trust store.
const (
	MaxTrustFiles     = 10_000
	MaxTrustFileSize  = 64 << 20
	MaxTrustStoreSize = 256 << 20
)

// Room is a folder of a trust store: what kind of anchors its files hold.
type Room string

// The rooms that this version reads; docs/formats/trust-store.md describes them.
const (
	RoomX509CA   Room = "x509-ca"   // roots, and intermediates that complete chains: PEM or DER
	RoomX509Pins Room = "x509-pins" // which signers below x509-ca are trusted: text
	RoomOpenPGP  Room = "openpgp"   // certificates: armored, binary, or a GnuPG keybox
	// RoomOpenPGPPins says which of the certificates in openpgp are trusted, when
	// and for what: text.
	RoomOpenPGPPins Room = "openpgp-pins"
	RoomCRL         Room = "crl"  // revocation lists and OCSP responses: PEM or DER
	RoomDeny        Room = "deny" // what is never valid: text
	RoomTSA         Room = "tsa"  // roots of timestamp authorities, and their intermediates: PEM or DER
	// RoomSigstore holds trusted roots of Sigstore (trusted_root*.json) and public
	// keys (PEM).
	RoomSigstore Room = "sigstore"
	// RoomSigstoreIdentities says which of those to whom the trusted roots gave
	// certificates are trusted: text.
	RoomSigstoreIdentities Room = "sigstore-identities"
	// RoomSettings is no folder but one file, "settings" of a store.
	RoomSettings Room = "settings"
)

// rooms are those that are folders; anchorRooms those without which nothing could
// ever be valid, pinRooms those that narrow them.
var (
	rooms       = slices.Concat([]Room{RoomX509CA, RoomX509Pins, RoomOpenPGP, RoomOpenPGPPins, RoomTSA, RoomCRL, RoomDeny}, sigstoreRooms)
	anchorRooms = []Room{RoomX509CA, RoomOpenPGP, RoomSigstore}
	pinRooms    = []Room{RoomX509Pins, RoomOpenPGPPins, RoomSigstoreIdentities}
)

// TrustFile is one file of anchors, unparsed: each format reads its own.
type TrustFile struct {
	Store string // name of the store it belongs to
	Room  Room
	Name  string // for messages
	Data  []byte
}

// TrustError says that a trust store cannot be used. It is never a fact about a
// runbook: it is for the operator to mend.
type TrustError struct {
	Path string
	Err  error
}

func (e *TrustError) Error() string { return fmt.Sprintf("trust store %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *TrustError) Unwrap() error { return e.Err }

// TrustStore is an immutable set of trust anchors. The system's own roots are
// never part of it.
type TrustStore struct {
	files  []TrustFile
	digest runbook.Digest
	denied map[string]Denial
	// deniedKinds are the first words of what is denied.
	deniedKinds map[string]bool
	settings    map[string]map[string]string // by store and name
	epoch       Epoch
}

// NewTrust makes a trust store of the given files, which it copies. It fails
// with *TrustError for an unknown room, an empty file, a limit passed, and a
// deny list or settings that cannot be read.
func NewTrust(files ...TrustFile) (*TrustStore, error) {
	t := &TrustStore{}
	total := 0
	for _, f := range files {
		total += len(f.Data)
		switch {
		case slices.Contains(absentRooms, f.Room):
			return nil, &TrustError{f.Name, errAbsent(f.Room)}
		case f.Room != RoomSettings && f.Room != RoomEpoch && !slices.Contains(rooms, f.Room):
			return nil, &TrustError{f.Name, fmt.Errorf("unknown room %q", f.Room)}
		case len(f.Data) == 0:
			return nil, &TrustError{f.Name, errors.New("the file is empty")}
		case len(t.files) == MaxTrustFiles:
			return nil, &TrustError{f.Name, fmt.Errorf("more than %d files", MaxTrustFiles)}
		case len(f.Data) > MaxTrustFileSize, total > MaxTrustStoreSize:
			return nil, &TrustError{f.Name, errors.New("larger than a trust store may be")}
		}
		f.Data = slices.Clone(f.Data)
		t.files = append(t.files, f)
	}
	slices.SortFunc(t.files, func(a, b TrustFile) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Name, b.Name), slices.Compare(a.Data, b.Data))
	})
	t.digest = digestFiles(t.files)
	if err := t.readDenied(); err != nil {
		return nil, err
	}
	if err := t.readSettings(); err != nil {
		return nil, err
	}
	if err := t.readEpoch(); err != nil {
		return nil, err
	}
	return t, nil
}

// anchored tells whether the store has anything by which a signer could be
// trusted.
func (t *TrustStore) anchored() bool {
	return slices.ContainsFunc(t.files, func(f TrustFile) bool { return slices.Contains(anchorRooms, f.Room) })
}

// digestFiles hashes store, room, name and content of each file, each with its
// length before it, so that no two stores share a digest.
func digestFiles(files []TrustFile) runbook.Digest {
	h := sha256.New()
	var n [8]byte
	for _, f := range files {
		for _, part := range [][]byte{[]byte(f.Store), []byte(f.Room), []byte(f.Name), f.Data} {
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			h.Write(n[:])
			h.Write(part)
		}
	}
	return runbook.Digest(h.Sum(nil))
}

// Files returns the files of one room. Their data must not be changed.
func (t *TrustStore) Files(room Room) []TrustFile {
	var files []TrustFile
	for _, f := range t.files {
		if f.Room == room {
			files = append(files, f)
		}
	}
	return files
}

// All returns the files of all rooms. Their data must not be changed.
func (t *TrustStore) All() []TrustFile { return slices.Clone(t.files) }

// Stores returns the names of the stores, sorted.
func (t *TrustStore) Stores() []string {
	var names []string
	for _, f := range t.files { // which are sorted by store
		if f.Room != RoomEpoch && (len(names) == 0 || names[len(names)-1] != f.Store) {
			names = append(names, f.Store)
		}
	}
	return names
}

// Digest identifies the content of the store; it goes into every decision.
func (t *TrustStore) Digest() runbook.Digest { return t.digest }
