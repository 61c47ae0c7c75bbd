//go:build !nosigstore

package format

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/verifier"
)

// Limits of the rooms.
const (
	maxTrustedRoot  = 4 << 20
	maxSigstoreKeys = 1_000 // of a store
)

// sigstoreStore is what one store says of those who sign bundles.
type sigstoreStore struct {
	name       string
	roots      []sigstoreRoot
	keys       []*sigstoreKey
	identities []sigstoreIdentity
	rules      verifier.SigstoreRules
}

// sigstoreRoot is a trusted root: the authorities and logs of one Sigstore. Two of
// them never add up. Its witnesses are those that no deny list names.
type sigstoreRoot struct {
	file string
	root.TrustedMaterial
	stampers       []root.TimestampingAuthority
	rekors, ctLogs map[string]*root.TransparencyLog
}

func newSigstoreRoot(file string, material root.TrustedMaterial, lists *verifier.TrustStore) sigstoreRoot {
	return sigstoreRoot{
		file, material,
		slices.DeleteFunc(slices.Clone(material.TimestampingAuthorities()), func(a root.TimestampingAuthority) bool { return deniedStamper(a, lists) }),
		undeniedLogs(material.RekorLogs(), lists), undeniedLogs(material.CTLogs(), lists),
	}
}

// TimestampingAuthorities are those that are not denied.
func (r sigstoreRoot) TimestampingAuthorities() []root.TimestampingAuthority { return r.stampers }

// RekorLogs are those that are not denied.
func (r sigstoreRoot) RekorLogs() map[string]*root.TransparencyLog { return r.rekors }

// CTLogs are those that are not denied.
func (r sigstoreRoot) CTLogs() map[string]*root.TransparencyLog { return r.ctLogs }

func deniedStamper(a root.TimestampingAuthority, lists *verifier.TrustStore) bool {
	known, ok := a.(*root.SigstoreTimestampingAuthority)
	if !ok {
		return true
	}
	named := slices.DeleteFunc(append([]*x509.Certificate{known.Leaf, known.Root}, known.Intermediates...), func(c *x509.Certificate) bool { return c == nil })
	_, hit := lists.Denied(deniableIDs(named)...)
	return hit
}

func undeniedLogs(all map[string]*root.TransparencyLog, lists *verifier.TrustStore) map[string]*root.TransparencyLog {
	kept := map[string]*root.TransparencyLog{}
	for id, log := range all {
		der, err := x509.MarshalPKIXPublicKey(log.PublicKey)
		if _, hit := lists.Denied("x509-spki:" + sha256Of(der)); err == nil && !hit {
			kept[id] = log
		}
	}
	return kept
}

// authorities are all certificates that it has of those who give certificates.
func (r sigstoreRoot) authorities() (all []*x509.Certificate) {
	for _, ca := range r.FulcioCertificateAuthorities() {
		if ca, ok := ca.(*root.FulcioCertificateAuthority); ok {
			all = append(append(all, ca.Root), ca.Intermediates...)
		}
	}
	return all
}

// sigstoreKey is a public key that a store trusts.
type sigstoreKey struct {
	file   string
	public crypto.PublicKey
	spki   [sha256.Size]byte // of its SubjectPublicKeyInfo
}

// hint is how bundles name the key.
func (k *sigstoreKey) hint() string { return base64.StdEncoding.EncodeToString(k.spki[:]) }

func (k *sigstoreKey) hex() string { return hex.EncodeToString(k.spki[:]) }

// where names the store for a message.
func (s *sigstoreStore) where() string {
	if s.name == "" {
		return ""
	}
	return fmt.Sprintf(" (store %q)", s.name)
}

// loadSigstore reads the rooms of all stores. It fails with *verifier.TrustError.
func loadSigstore(t *verifier.TrustStore) ([]*sigstoreStore, error) {
	var stores []*sigstoreStore
	byName := map[string]*sigstoreStore{}
	store := func(name string) *sigstoreStore {
		if byName[name] == nil {
			byName[name] = &sigstoreStore{name: name, rules: t.Sigstore(name)}
			stores = append(stores, byName[name])
		}
		return byName[name]
	}
	for _, f := range t.Files(verifier.RoomSigstore) {
		if err := store(f.Store).add(f, t); err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	owners := map[string]string{} // of the names of identities: the store that has them
	for _, f := range t.Files(verifier.RoomSigstoreIdentities) {
		if err := store(f.Store).list(f.Data, owners); err != nil {
			return nil, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	for _, s := range stores {
		if len(s.roots) > 0 && len(s.identities) == 0 {
			return nil, &verifier.TrustError{Path: s.roots[0].file, Err: errors.New(
				"a trusted root without identities would trust everybody with an account: list whom you trust in the room sigstore-identities of the same store")}
		}
	}
	return stores, nil
}

// list reads a file of the room sigstore-identities. A policy knows who fits an entry
// by the entry's name and nothing else, so a name belongs to one store: whoever adds
// to another one could have his own signers taken for those of this store.
func (s *sigstoreStore) list(data []byte, owners map[string]string) error {
	list, err := parseIdentities(data)
	if err != nil {
		return err
	}
	for _, i := range list {
		if owner, taken := owners[i.name]; taken && owner != s.name {
			return fmt.Errorf("the store %q has the name %q already, and policies could not tell the two apart: choose another one", owner, i.name)
		}
		owners[i.name] = s.name
	}
	s.identities = append(s.identities, list...)
	switch {
	case len(s.roots) == 0:
		return errors.New("identities without a trusted_root.json in the room sigstore of the same store: nobody could vouch for them")
	case len(s.identities) > maxIdentities:
		return fmt.Errorf("more than %d identities", maxIdentities)
	}
	return nil
}

// add reads a file of the room sigstore; its name says what it is.
func (s *sigstoreStore) add(f verifier.TrustFile, lists *verifier.TrustStore) error {
	name := path.Base(f.Name)
	switch {
	case strings.HasPrefix(name, "trusted_root") && strings.HasSuffix(name, ".json"):
		material, err := readTrustedRoot(f.Data)
		if err != nil {
			return err
		}
		s.roots = append(s.roots, newSigstoreRoot(f.Name, material, lists))
		return nil
	case strings.HasSuffix(name, ".pem"), strings.HasSuffix(name, ".pub"):
		keys, err := readPublicKeys(f.Name, f.Data)
		if s.keys = append(s.keys, keys...); err == nil && len(s.keys) > maxSigstoreKeys {
			err = fmt.Errorf("more than %d public keys", maxSigstoreKeys)
		}
		return err
	}
	return errors.New("neither a trusted root (trusted_root*.json) nor public keys (*.pem or *.pub)")
}

func readTrustedRoot(data []byte) (*root.TrustedRoot, error) {
	if err := strictjson.Check(data, maxTrustedRoot); err != nil {
		return nil, fmt.Errorf("no trusted root: %w", err)
	}
	material, err := root.NewTrustedRootFromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("no trusted root: %w", err)
	}
	if len(material.FulcioCertificateAuthorities()) == 0 {
		return nil, errors.New("a trusted root without a certificate authority")
	}
	return material, nil
}

// readPublicKeys reads a file with nothing but public keys.
func readPublicKeys(file string, data []byte) ([]*sigstoreKey, error) {
	var keys []*sigstoreKey
	for rest := data; len(bytes.TrimSpace(rest)) > 0; {
		if !bytes.HasPrefix(bytes.TrimSpace(rest), []byte("-----BEGIN ")) {
			return nil, errors.New("something stands around the PEM blocks")
		}
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("a PEM block that cannot be read")
		}
		switch {
		case block.Type == "CERTIFICATE":
			return nil, errors.New("a certificate: this room holds public keys (openssl x509 -pubkey -noout), and authorities stand in a trusted_root.json")
		case block.Type != "PUBLIC KEY" || len(block.Headers) > 0:
			return nil, fmt.Errorf("a PEM block %q: want PUBLIC KEY", block.Type)
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("a public key that cannot be read")
		}
		if err := cms.CheckKey(public); err != nil {
			return nil, fmt.Errorf("a public key that writ cannot use: %w; RSA, P-256 and P-384 count", err)
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil || !bytes.Equal(der, block.Bytes) {
			return nil, errors.New("a public key that is not written as usual: write it again (openssl pkey -pubin)")
		}
		keys = append(keys, &sigstoreKey{file: file, public: public, spki: sha256.Sum256(der)})
		if len(keys) > maxSigstoreKeys {
			return nil, fmt.Errorf("more than %d public keys", maxSigstoreKeys)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no public key in it")
	}
	return keys, nil
}

// named are the keys of the store that a bundle with this hint may be by. A hint
// of the usual form names one; any other says nothing.
func (s *sigstoreStore) named(hint string) []*sigstoreKey {
	if sum, err := base64.StdEncoding.DecodeString(hint); err != nil || len(sum) != sha256.Size {
		return s.keys
	}
	for _, k := range s.keys {
		if k.hint() == hint {
			return []*sigstoreKey{k}
		}
	}
	return nil
}
