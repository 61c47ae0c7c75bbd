package truststore_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/truststore"
	"github.com/runwrit/writ/verifier"
)

func now() time.Time { return testenv.VectorTime() }

func key(t *testing.T, subject string) *newkeys.X509Key {
	t.Helper()
	k, err := newkeys.X509(newkeys.X509Options{Subject: subject, NotBefore: now().AddDate(0, -6, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openpgpKey(t *testing.T, name string) []byte {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: now().AddDate(0, -6, 0)})
	if err != nil {
		t.Fatal(err)
	}
	public, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// found are the anchors in the given files.
func found(t *testing.T, files ...[]byte) []anchors.Anchor {
	t.Helper()
	var list []anchors.Anchor
	for _, data := range files {
		f, err := anchors.Read(t.Context(), "file", data, anchors.Options{Now: now()})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f.Anchors...)
	}
	return list
}

// check is what the program checks: that the formats take the whole store.
func check(t *verifier.TrustStore) error {
	_, err := verifier.New(t, verifier.Options{Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign()}, Now: now})
	return err
}

func plan(t *testing.T, dir, store string, list []anchors.Anchor) *truststore.Addition {
	t.Helper()
	before, err := truststore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := truststore.Plan(t.Context(), before, store, "base", list, now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func add(t *testing.T, dir, store string, files ...[]byte) *truststore.Addition {
	t.Helper()
	p := plan(t, dir, store, found(t, files...))
	if _, err := p.Commit(t.Context(), dir, check); err != nil {
		t.Fatal(err)
	}
	return p
}

// tree lists all files and folders, hidden ones too.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name += " " + string(data)
		}
		list = append(list, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnAdditionMakesAStoreThatAVerifierOpens(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	k := key(t, "one")
	p := add(t, dir, "prod", k.CAPEM, openpgpKey(t, "Alice"))
	if len(p.Added) != 2 || len(p.Already) != 0 {
		t.Fatalf("added %d, %d there already", len(p.Added), len(p.Already))
	}
	if _, err := verifier.OpenTrust(dir, verifier.TrustOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Added {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(a.File)))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode() != 0o644 {
			t.Errorf("%s has mode %v", a.File, info.Mode())
		}
	}
	again := add(t, dir, "prod", k.CAPEM, k.CAPEM)
	if len(again.Added) != 0 || len(again.Already) != 2 {
		t.Errorf("the second time %d were added", len(again.Added))
	}
	other := add(t, dir, "test", k.CAPEM)
	if len(other.Added) != 1 {
		t.Error("another store has the certificate only if it has it itself")
	}
}

func TestSeveralOfOneRoomAreOneFileAndAppearInOneStep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	p := add(t, dir, "prod", key(t, "one").CAPEM, key(t, "two").CAPEM, key(t, "three").CAPEM)
	if len(p.Added) != 3 || p.Added[0].File != p.Added[2].File {
		t.Errorf("added %v", p.Added)
	}
	listing := describe(t, dir)
	if len(listing.Stores) != 1 || len(listing.Stores[0].Anchors) != 3 {
		t.Errorf("listed %v", listing)
	}
}

func describe(t *testing.T, dir string) *truststore.Listing {
	t.Helper()
	store, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	listing, err := truststore.Describe(t.Context(), store, now())
	if err != nil {
		t.Fatal(err)
	}
	return listing
}

func TestANewerCopyOfAnOpenPGPCertificateIsAddedBesideTheOld(t *testing.T) {
	t.Parallel()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Alice", Created: now().AddDate(0, -6, 0)})
	if err != nil {
		t.Fatal(err)
	}
	before, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Revoke(0, "lost", nil); err != nil {
		t.Fatal(err)
	}
	after, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "trust")
	add(t, dir, "prod", before, openpgpKey(t, "Bob"))
	p := add(t, dir, "prod", after)
	if len(p.Added) != 1 || !strings.Contains(p.Added[0].Trusts, "another copy") {
		t.Fatalf("added %v", p.Added)
	}
	if p := add(t, dir, "prod", before); len(p.Already) != 1 {
		t.Error("the old copy is new again")
	}
	for _, a := range describe(t, dir).Stores[0].Anchors {
		if (a.Name == "Bob") != (a.Doubt == "") {
			t.Errorf("%q: %q; the revocation counts for all copies", a.Name, a.Doubt)
		}
	}
}

// renewed returns a certificate that expired, and a copy of it that did not, with a
// later statement on the primary key and one more subkey.
func renewed(t *testing.T) (before, after []byte) {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Alice", Created: now().AddDate(-1, 0, 0), Lifetime: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if before, err = newkeys.ArmoredPublic(e); err != nil {
		t.Fatal(err)
	}
	config := &packet.Config{DefaultHash: crypto.SHA512, Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, Time: func() time.Time { return now().AddDate(0, -1, 0) }}
	statement := e.Identities["Alice"].SelfCertifications[0].Packet
	statement.KeyLifetimeSecs, statement.CreationTime = nil, config.Now()
	err = errors.Join(statement.SignUserId("Alice", e.PrimaryKey, e.PrivateKey, config), e.AddSigningSubkey(config))
	if err != nil {
		t.Fatal(err)
	}
	if after, err = newkeys.ArmoredPublic(e); err != nil {
		t.Fatal(err)
	}
	return before, after
}

// TestAttackRenewalThatIsNotTold: a newer copy of a certificate that had expired gives
// trust again, and it does so in every store that has a copy, not in the named one
// alone.
func TestAttackRenewalThatIsNotTold(t *testing.T) {
	t.Parallel()
	before, after := renewed(t)
	for _, store := range []string{"prod", "test"} {
		dir := filepath.Join(t.TempDir(), "trust")
		if p := add(t, dir, "prod", before); !strings.Contains(p.Added[0].Trusts, "no key of it may sign now") {
			t.Fatalf("it has not expired: %s", p.Added[0].Trusts)
		}
		p := add(t, dir, store, after)
		got := p.Added[0].Trusts
		if !strings.HasPrefix(got, "whatever Alice signs") || strings.Contains(got, "no key of it") || !strings.Contains(got, "another copy of this certificate is in prod: ") {
			t.Errorf("added to %s: %s", store, got)
		}
		if a := describe(t, dir).Stores[0].Anchors[0]; a.Doubt != "" {
			t.Errorf("what was there before has not become of use: %s", a.Doubt)
		}
	}
}

func TestAListingSaysEverythingThatAStoreHolds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	k := key(t, "one")
	add(t, dir, "prod", k.ChainPEM()[len(k.LeafPEM):], openpgpKey(t, "Alice"), crl(t, k))
	for name, text := range map[string]string{
		"prod/x509-pins/pins.txt": "x509-sha256:" + strings.Repeat("0", 64) + "\n",
		"prod/deny/deny.txt":      "sha256:" + strings.Repeat("0", 64) + "\nsha256:" + strings.Repeat("1", 64) + "\n",
		"prod/settings":           "revocation:prefer\n",
		"epoch":                   "epoch:7\n",
	} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	listing := describe(t, dir)
	var got []string
	for _, a := range listing.Stores[0].Anchors {
		got = append(got, string(a.Room)+" "+a.Name+" "+a.Doubt)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"crl CN=one CA ", "openpgp Alice ", "x509-ca CN=one CA "}, got); diff != "" {
		t.Error(diff)
	}
	want := []truststore.List{{Room: "deny", File: "prod/deny/deny.txt", Entries: 2}, {Room: "settings", File: "prod/settings", Entries: 1}, {Room: "x509-pins", File: "prod/x509-pins/pins.txt", Entries: 1}}
	if diff := cmp.Diff(want, listing.Stores[0].Lists); diff != "" {
		t.Error(diff)
	}
	if listing.Epoch.Number != 7 {
		t.Errorf("epoch %d", listing.Epoch.Number)
	}
	p := plan(t, dir, "prod", found(t, key(t, "two").CAPEM))
	if !strings.Contains(p.Added[0].Trusts, "of those only whom the pins of the store name") {
		t.Errorf("beside pins: %s", p.Added[0].Trusts)
	}
}

func crl(t *testing.T, k *newkeys.X509Key) []byte {
	t.Helper()
	der, err := x509.CreateRevocationList(nil, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now().Add(-time.Hour), NextUpdate: now().Add(time.Hour)}, k.CA, k.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNamesThatAreNoneOfAStoreAreRefused(t *testing.T) {
	t.Parallel()
	empty, err := verifier.NewTrust()
	if err != nil {
		t.Fatal(err)
	}
	list := found(t, key(t, "one").CAPEM)
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, ".hidden", "epoch", "README.md", "a b", strings.Repeat("a", 65)} {
		if _, err := truststore.Plan(t.Context(), empty, name, "base", list, now()); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

// What cannot be used leaves a trust store, and the place of one, as it was.
func TestAnAdditionThatMakesTheStoreUnusableChangesNothing(t *testing.T) {
	t.Parallel()
	k := key(t, "one")
	whole := filepath.Join(t.TempDir(), "trust")
	add(t, whole, "prod", k.CAPEM)
	for name, c := range map[string]struct {
		dir   string
		list  []byte
		check truststore.CheckFunc
	}{
		"the formats refuse it":            {whole, key(t, "two").CAPEM, func(*verifier.TrustStore) error { return errors.New("no") }},
		"a list that is not honoured":      {whole, delta(t, k), check},
		"only a list, and no anchor":       {filepath.Join(t.TempDir(), "new"), crl(t, k), check},
		"a folder inside of one not there": {filepath.Join(t.TempDir(), "a", "b"), k.CAPEM, check},
	} {
		var before []string
		if _, err := os.Lstat(c.dir); err == nil {
			before = tree(t, c.dir)
		}
		p := plan(t, c.dir, "new", found(t, c.list))
		if _, err := p.Commit(t.Context(), c.dir, c.check); err == nil {
			t.Errorf("%s: was added", name)
		}
		if before == nil {
			if _, err := os.Lstat(c.dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the folder was left: %v", name, tree(t, c.dir))
			}
		} else if diff := cmp.Diff(before, tree(t, c.dir)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// delta is a list of the changes since another one, which is not honoured.
func delta(t *testing.T, k *newkeys.X509Key) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(2), ThisUpdate: now().Add(-time.Hour), NextUpdate: now().Add(time.Hour)}
	list.ExtraExtensions = append(list.ExtraExtensions, extension(2, 5, 29, 27))
	der, err := x509.CreateRevocationList(nil, list, k.CA, k.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func extension(id ...int) pkix.Extension {
	return pkix.Extension{Id: id, Critical: true, Value: []byte{2, 1, 1}}
}

// TestAttackImportOverAFileOfTheSameName: a file that is there stays as it is.
func TestAttackImportOverAFileOfTheSameName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	add(t, dir, "prod", key(t, "one").CAPEM)
	p := plan(t, dir, "prod", found(t, key(t, "two").CAPEM))
	before := tree(t, dir)
	target := filepath.Join(dir, filepath.FromSlash(p.Added[0].File))
	write(t, target, string(key(t, "other").CAPEM))
	var changed *truststore.ChangedError
	if _, err := p.Commit(t.Context(), dir, check); !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// TestAttackRaceWithAnotherWriter: of many additions at a time each is there whole
// or said to have failed, and the store can be used at every moment.
func TestAttackRaceWithAnotherWriter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	add(t, dir, "prod", key(t, "first").CAPEM)
	const writers = 8
	lists := make([][]anchors.Anchor, writers)
	for i := range lists {
		lists[i] = found(t, key(t, "writer").CAPEM, openpgpKey(t, "writer"))
	}
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			for range 50 {
				before, err := truststore.Open(dir)
				if err != nil {
					errs[i] = err
					return
				}
				p, err := truststore.Plan(context.Background(), before, "prod", "base", lists[i], now())
				if err != nil {
					errs[i] = err
					return
				}
				var changed *truststore.ChangedError
				if _, err = p.Commit(context.Background(), dir, check); !errors.As(err, &changed) {
					errs[i] = err
					return
				}
			}
			errs[i] = errors.New("never got its turn")
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if n := len(describe(t, dir).Stores[0].Anchors); n != 1+2*writers {
		t.Errorf("%d anchors, want %d", n, 1+2*writers)
	}
}
