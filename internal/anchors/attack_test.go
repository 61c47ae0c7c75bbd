package anchors_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/verifier"
)

// TestAttackThousandsOfCertificates: each form with more than anybody has.
func TestAttackThousandsOfCertificates(t *testing.T) {
	t.Parallel()
	k := key(t)
	many := slices.Repeat([][]byte{k.CA.Raw}, anchors.MaxAnchors+1)
	der := bytes.Join(many, nil)
	for form, data := range map[string][]byte{
		"PEM": bytes.Repeat(k.CAPEM, anchors.MaxAnchors+1),
		"DER": der,
		"SST": serialized(func(add func(uint32, []byte)) {
			for _, c := range many {
				add(32, c)
			}
		}),
		"lists": serialized(func(add func(uint32, []byte)) {
			list := revocationList(t)
			for range anchors.MaxAnchors + 1 {
				add(33, list)
			}
		}),
	} {
		_, err := read(t, data, anchors.Options{})
		if err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: got %v", form, err)
		}
	}
}

// TestAttackPKCS12OfThousandsOfCertificates: the elements are counted before a
// passphrase is tried.
func TestAttackPKCS12OfThousandsOfCertificates(t *testing.T) {
	t.Parallel()
	k := key(t)
	data, err := pkcs12.Passwordless.Encode(k.Key, k.Leaf, slices.Repeat([]*x509.Certificate{k.CA}, anchors.MaxAnchors), "")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := read(t, data, anchors.Options{}); err == nil {
		t.Errorf("found %d", len(found.Anchors))
	}
}

// TestAttackAuthorityAmongLeaves: who gives a file of signers' certificates does not
// mean the one authority among them.
func TestAttackAuthorityAmongLeaves(t *testing.T) {
	t.Parallel()
	k := key(t)
	found, err := read(t, slices.Concat(k.LeafPEM, k.LeafPEM, k.CAPEM), anchors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var unclear *anchors.SelectionError
	if chosen, err := found.Select(nil, false); !errors.As(err, &unclear) {
		t.Errorf("got %v, %v", chosen, err)
	}
	for _, ids := range [][]string{{found.Anchors[0].ID}, {"x509-sha256:00"}, {""}, {found.Anchors[2].ID[:40]}, {found.Anchors[2].Name}} {
		if chosen, err := found.Select(ids, false); !errors.As(err, &unclear) {
			t.Errorf("%q: got %v, %v", ids, chosen, err)
		}
	}
	chosen, err := found.Select([]string{found.Anchors[2].ID}, false)
	if err != nil || len(chosen) != 1 || chosen[0].Name != "CN=writ test CA" {
		t.Errorf("got %v, %v", chosen, err)
	}
	if _, err := found.Select([]string{found.Anchors[2].ID}, true); err == nil {
		t.Error("all and some at a time")
	}
}

// TestAttackNameOfAFileFromAHostileSubject: no path, no hidden file, no endless name
// comes of it, and two certificates of one name do not take each other's place.
func TestAttackNameOfAFileFromAHostileSubject(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, subject := range []string{
		"../../etc/passwd", "..", ".", "", "/", "a\x00b", ".hidden", "\x1b[2J\u202e", strings.Repeat("a", 300), "README.md", "settings", "-----BEGIN CERTIFICATE-----", "CON", "x", "x",
	} {
		data := selfSigned(t, func(c *x509.Certificate) { c.Subject = name(subject) })
		found, err := read(t, data, anchors.Options{})
		if err != nil {
			t.Fatalf("%q: %v", subject, err)
		}
		files, err := anchors.Files("prod", "base", found.Anchors)
		if err != nil || len(files) != 1 {
			t.Fatalf("%q: %v, %v", subject, files, err)
		}
		f := files[0]
		ok := len(f.Name) < 64 && strings.HasSuffix(f.Name, ".pem") && f.Name[0] != '-' && !strings.ContainsFunc(f.Name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.')
		})
		if !ok || strings.Count(f.Name, ".") != 1 || names[f.Name] {
			t.Errorf("%q: the file is called %q", subject, f.Name)
		}
		names[f.Name] = true
	}
}

// TestAttackStoresInsideStores: what stands in a form is read as what it has to be
// there, and never as a form again.
func TestAttackStoresInsideStores(t *testing.T) {
	t.Parallel()
	k := key(t)
	inner := serialized(func(add func(uint32, []byte)) { add(32, k.CA.Raw) })
	found, err := read(t, serialized(func(add func(uint32, []byte)) { add(32, inner); add(33, k.CA.Raw) }), anchors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found.Anchors {
		if a.Room != "" || !strings.Contains(a.Why, "cannot be read") {
			t.Errorf("%s has room %q", a.Name, a.Room)
		}
	}
}

// TestAttackRevocationListBesideArmor: of a file with OpenPGP armor and other blocks
// nothing is read, as one kind would be passed over without a word.
func TestAttackRevocationListBesideArmor(t *testing.T) {
	t.Parallel()
	armor := openpgpKey(t, "Alice", now().AddDate(0, -1, 0))
	for what, other := range map[string][]byte{
		"a revocation list": pemOf("X509 CRL", revocationList(t)), "a certificate": key(t).CAPEM, "a block that is cut off": []byte("-----BEGIN X509 CRL-----\n"),
	} {
		for _, data := range [][]byte{slices.Concat(armor, other), slices.Concat(other, armor)} {
			if found, err := read(t, data, anchors.Options{}); err == nil || !strings.Contains(err.Error(), "one kind would be passed over") {
				t.Errorf("%s: got %v, %v", what, found, err)
			}
		}
	}
}

// TestAttackTimestampsThatWindowsTurnedOff: an authority that Windows has enabled for
// something else becomes no authority for timestamps.
func TestAttackTimestampsThatWindowsTurnedOff(t *testing.T) {
	t.Parallel()
	const codeSigning, timeStamping = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03", "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08"
	for usages, want := range map[string]verifier.Room{codeSigning: "", "\x30\x00": "", timeStamping: verifier.RoomTSA} {
		found, err := read(t, serialized(func(add func(uint32, []byte)) { add(9, []byte(usages)); add(32, key(t).CA.Raw) }), anchors.Options{Room: verifier.RoomTSA})
		if err != nil {
			t.Fatal(err)
		}
		if a := found.Anchors[0]; a.Room != want || (want == "") != strings.Contains(a.Why, "not have it enabled for timestamps") {
			t.Errorf("%x: room %q: %s", usages, a.Room, a.Why)
		}
	}
}

// TestAttackSecondCopyWithoutRestriction: a certificate that Windows does not trust
// stands in the store once more, with nothing said beside it.
func TestAttackSecondCopyWithoutRestriction(t *testing.T) {
	t.Parallel()
	der := key(t).CA.Raw
	for what, data := range map[string][]byte{
		"before": serialized(func(add func(uint32, []byte)) { add(32, der); add(104, make([]byte, 8)); add(32, der) }),
		"behind": serialized(func(add func(uint32, []byte)) { add(104, make([]byte, 8)); add(32, der); add(32, der) }),
	} {
		found, err := read(t, data, anchors.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if good := found.Undoubted(); len(good) != 0 {
			t.Errorf("%s: %v", what, rooms(found))
		}
	}
}

// FuzzRead: whatever a file holds, what can be added of it goes into a room, has an
// ID, and can be written and read again.
func FuzzRead(f *testing.F) {
	k := key(f)
	bundle, err := pkcs12.Passwordless.Encode(k.Key, k.Leaf, []*x509.Certificate{k.CA}, "")
	if err != nil {
		f.Fatal(err)
	}
	secret, err := newkeys.PrivatePEM(k.Key, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		k.ChainPEM(), k.CA.Raw, bundle, secret, revocationList(f), openpgpKey(f, "Alice", now()),
		serialized(func(add func(uint32, []byte)) { add(9, []byte{0x30, 0}); add(32, k.CA.Raw) }),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := read(t, data, anchors.Options{})
		if err != nil {
			return
		}
		good := found.Undoubted()
		for _, a := range found.Anchors {
			if (a.Room == "") == (a.Why == "") || a.Room != "" && a.ID == "" {
				t.Fatalf("%+v", a)
			}
			_ = a.Effect(anchors.Surroundings{Pinned: map[verifier.Room]bool{}})
		}
		if len(good) == 0 {
			return
		}
		files, err := anchors.Files("prod", "base", good)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if _, err := read(t, f.Data, anchors.Options{Room: f.Room}); err != nil {
				t.Errorf("written and read again: %v", err)
			}
		}
	})
}
