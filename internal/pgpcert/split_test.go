package pgpcert_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/testenv"
)

// binaryOf takes the armor off.
func binaryOf(t testing.TB, armored []byte) []byte {
	t.Helper()
	blocks, err := cleartext.Dearmor(armored)
	if err != nil || len(blocks) != 1 || blocks[0].Err != nil {
		t.Fatalf("armor: %v", err)
	}
	return blocks[0].Data
}

// splitKey makes a certificate, and the same one revoked.
func splitKey(t testing.TB, name string) (good, revoked []byte) {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: testenv.VectorTime().Add(-24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if good, err = newkeys.ArmoredPublic(e); err != nil {
		t.Fatal(err)
	}
	if err := e.Revoke(0, "lost", nil); err != nil {
		t.Fatal(err)
	}
	if revoked, err = newkeys.ArmoredPublic(e); err != nil {
		t.Fatal(err)
	}
	return binaryOf(t, good), binaryOf(t, revoked)
}

// revocationOf is the packet behind the primary key.
func revocationOf(t testing.TB, revoked []byte) []byte {
	t.Helper()
	_, rest, err := pgpcert.NextPacket(revoked)
	if err != nil {
		t.Fatal(err)
	}
	_, after, err := pgpcert.NextPacket(rest)
	if err != nil {
		t.Fatal(err)
	}
	return rest[:len(rest)-len(after)]
}

func TestAFileIsSplitIntoCertificatesWithAllTheirCopies(t *testing.T) {
	t.Parallel()
	alice, revoked := splitKey(t, "Alice")
	bob, _ := splitKey(t, "Bob")
	trust := []byte{0xB0, 1, 0} // a note that GnuPG makes for itself
	blocks, err := pgpcert.Split(bytes.Join([][]byte{alice, trust, bob, revoked}, nil), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 2 || len(blocks[0].Fingerprint) != 40 || blocks[0].Fingerprint == blocks[1].Fingerprint {
		t.Fatalf("got %d blocks", len(blocks))
	}
	if !bytes.Equal(blocks[0].Packets, append(bytes.Clone(alice), revoked...)) || !bytes.Equal(blocks[1].Packets, bob) {
		t.Error("the packets are others")
	}
}

// Revocations that stand by themselves, or behind another certificate, where they
// come to stand when files are joined, are not lost when one certificate is taken.
func TestSplitKeepsRevocationsThatStandElsewhere(t *testing.T) {
	t.Parallel()
	alice, revoked := splitKey(t, "Alice")
	bob, _ := splitKey(t, "Bob")
	revocation := revocationOf(t, revoked)
	for name, data := range map[string][]byte{
		"at the beginning":    bytes.Join([][]byte{revocation, alice, bob}, nil),
		"behind another":      bytes.Join([][]byte{alice, bob, revocation}, nil),
		"alone in the file":   revocation,
		"behind it, where it": bytes.Join([][]byte{alice, revocation, bob}, nil),
	} {
		blocks, err := pgpcert.Split(data, 10)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := 0
		for _, b := range blocks {
			found += bytes.Count(b.Packets, revocation)
		}
		if found == 0 {
			t.Errorf("%s: the revocation is lost", name)
		}
		if name == "behind another" && (len(blocks) != 3 || blocks[2].Fingerprint != "" || !bytes.Equal(blocks[2].Packets, revocation)) {
			t.Errorf("%s: not given out by itself", name)
		}
	}
}

func TestSplitGivesNoCertificateOfWhichAPartIsMissing(t *testing.T) {
	t.Parallel()
	alice, _ := splitKey(t, "Alice")
	bob, _ := splitKey(t, "Bob")
	blocks, err := pgpcert.Split(bytes.Join([][]byte{alice, bob, alice[:len(alice)-5]}, nil), 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range blocks {
		if b.Err == nil {
			t.Errorf("block %d is given out, and the file is cut off", i)
		}
	}
}

func TestSplitRefusesSecretKeysAndTooMuch(t *testing.T) {
	t.Parallel()
	alice, _ := splitKey(t, "Alice")
	bob, _ := splitKey(t, "Bob")
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: testenv.VectorTime()})
	if err != nil {
		t.Fatal(err)
	}
	var secret bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secret, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := pgpcert.Split(append(bytes.Clone(alice), secret.Bytes()...), 10); !errors.Is(err, pgpcert.ErrSecretKey) {
		t.Errorf("secret keys: %v", err)
	}
	if _, err := pgpcert.Split(append(bytes.Clone(alice), bob...), 1); err == nil || !strings.Contains(err.Error(), "more than 1 certificates") {
		t.Errorf("too many: %v", err)
	}
	if _, err := pgpcert.Split([]byte("text"), 1); !errors.Is(err, pgpcert.ErrNoCertificate) {
		t.Errorf("text: %v", err)
	}
}

// FuzzSplit: nothing is given out that was not in the file, and a Loader that reads
// the parts finds no more certificates than one that reads the whole.
func FuzzSplit(f *testing.F) {
	alice, revoked := splitKey(f, "Alice")
	bob, _ := splitKey(f, "Bob")
	f.Add(bytes.Join([][]byte{alice, bob, revoked}, nil))
	f.Add(append(bytes.Clone(alice), revocationOf(f, revoked)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := pgpcert.Split(data, 100)
		if err != nil {
			return
		}
		parts := pgpcert.NewLoader()
		for _, b := range blocks {
			if b.Err == nil {
				_ = parts.Add("", b.Packets)
			}
		}
		whole := pgpcert.NewLoader()
		if whole.Add("", data) != nil {
			return
		}
		known := map[string]bool{}
		for _, c := range whole.Ring().Certificates() {
			known[c.Fingerprint] = true
		}
		for _, c := range parts.Ring().Certificates() {
			if !known[c.Fingerprint] {
				t.Errorf("%s can be used in a part, and not in the whole", c.Fingerprint)
			}
		}
	})
}
