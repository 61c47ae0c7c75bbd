package verifier_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/verifier"
)

func TestATrustStoreSaysItsEpoch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "s/x509-ca/ca.pem"))
	without, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil || without.Epoch() != (verifier.Epoch{}) {
		t.Fatalf("got %v, %v", without.Epoch(), err)
	}
	line := "# edition of this store\nepoch:7 not-before=2026-11-01T01:00:00+01:00 expires=2027-02-01T00:00:00Z\n"
	if err := os.WriteFile(filepath.Join(dir, "epoch"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := verifier.Epoch{Number: 7, NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, store.Epoch()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"s"}, store.Stores()); diff != "" {
		t.Error(diff)
	}
	if store.Digest() == without.Digest() {
		t.Error("the digest leaves the epoch out")
	}
	again, err := verifier.NewTrust(store.All()...)
	if err != nil || again.Epoch() != store.Epoch() {
		t.Errorf("the same files again: %v, %v", again.Epoch(), err)
	}
}

func TestAnEpochIsReadStrictly(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"# none\n":                             "0 lines: want one",
		"epoch:1\nepoch:2\n":                   "2 lines: want one",
		"epoch:":                               "want a number from 1 on",
		"epoch:0":                              "want a number from 1 on",
		"epoch:01":                             "want a number from 1 on",
		"epoch:-1":                             "want a number from 1 on",
		"epoch:4294967296":                     "want a number from 1 on",
		"edition:1":                            "want epoch:NUMBER",
		"epoch:1 until=2027-02-01T00:00:00Z":   "no field",
		"epoch:1 expires=2027-02-01":           "want a time such as",
		"epoch:1 expires=9999-02-01T00:00:00Z": "want a time such as",
		"epoch:1 not-before=2027-02-01T00:00:00Z expires=2027-02-01T00:00:00Z": "expires before it begins",
		"epoch 1": "want kind:value",
	} {
		refuseTrust(t, verifier.TrustFile{Room: verifier.RoomEpoch, Name: "epoch", Data: []byte(text)}, words)
	}
	f := verifier.TrustFile{Room: verifier.RoomEpoch, Name: "epoch", Data: []byte("epoch:1")}
	if _, err := verifier.NewTrust(f, f); err == nil {
		t.Error("a store with two epochs is accepted")
	}
}
