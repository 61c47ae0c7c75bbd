package anchors_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

var both = []string{" CN=writ test", "x509-ca CN=writ test CA"}

func TestCertificatesAreReadInEveryFormThatOpenSSLWrites(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	k := key(t)
	whole := file(t, "chain.pem", k.ChainPEM())
	secret := file(t, "key.pem", k.KeyPEM)
	p12 := func(args ...string) []byte {
		return run(t, openssl, append([]string{"pkcs12", "-export", "-in", whole, "-inkey", secret}, args...)...)
	}
	for form, data := range map[string][]byte{
		"PEM":                        k.ChainPEM(),
		"PEM with text around":       append([]byte("subject: writ\n"), k.ChainPEM()...),
		"PEM of the old label":       bytes.ReplaceAll(k.ChainPEM(), []byte(" CERTIFICATE"), []byte(" X509 CERTIFICATE")),
		"DER, one behind the other":  append(bytes.Clone(k.Leaf.Raw), k.CA.Raw...),
		"PKCS#7 in DER":              run(t, openssl, "crl2pkcs7", "-nocrl", "-certfile", whole, "-outform", "DER"),
		"PKCS#7 in PEM":              run(t, openssl, "crl2pkcs7", "-nocrl", "-certfile", whole),
		"PKCS#12":                    p12("-passout", "pass:correct horse"),
		"PKCS#12 of old times":       p12("-passout", "pass:correct horse", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
		"PKCS#12 without passphrase": p12("-passout", "pass:"),
	} {
		found, err := read(t, data, anchors.Options{Passphrase: func(context.Context, string) ([]byte, error) { return []byte("correct horse"), nil }})
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if diff := cmp.Diff(both, rooms(found)); diff != "" {
			t.Errorf("%s: %s", form, diff)
		}
	}
}

func TestATrustStoreOfJavaIsRead(t *testing.T) {
	t.Parallel()
	keytool := testenv.Tool(t, "keytool")
	store := filepath.Join(t.TempDir(), "trust.p12")
	cmd := exec.Command(keytool, "-importcert", "-noprompt", "-alias", "ca", "-storetype", "PKCS12", "-keystore", store, "-storepass", "correct horse",
		"-file", file(t, "ca.pem", key(t).CAPEM))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("skipped: this keytool does not start: %v %s", err, out)
	}
	data, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	found, err := read(t, data, anchors.Options{Passphrase: func(context.Context, string) ([]byte, error) { return []byte("correct horse"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(both[1:], rooms(found)); diff != "" {
		t.Error(diff)
	}
}

// The store is of our own writer: see internal/sst.
func TestASerializedStoreOfWindowsIsReadAsWindowsTrustsIt(t *testing.T) {
	t.Parallel()
	k := key(t)
	code := []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3}
	server := []byte{0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1}
	for name, c := range map[string]struct {
		property uint32
		value    []byte
		room     string
	}{
		"nothing is said":                  {11, []byte("n\x00"), "x509-ca"},
		"it is enabled for code signing":   {9, code, "x509-ca"},
		"it is enabled for web servers":    {9, server, ""},
		"it is enabled for nothing":        {9, []byte{0x30, 0}, ""},
		"it is distrusted since some day":  {104, make([]byte, 8), ""},
		"it is distrusted for new signers": {126, make([]byte, 8), ""},
	} {
		found, err := read(t, serialized(func(add func(uint32, []byte)) {
			add(c.property, c.value)
			add(32, k.CA.Raw)
			add(32, k.Leaf.Raw)
			add(33, revocationList(t))
			add(34, []byte("trust list"))
		}), anchors.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []string{c.room + " CN=writ test CA", " CN=writ test", "crl CN=writ test CA"}
		if diff := cmp.Diff(want, rooms(found)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "1 certificate trust lists") {
			t.Errorf("%s: notes %q", name, found.Notes)
		}
	}
}

func TestOpenPGPCertificatesAreReadInEveryFormOfGnuPG(t *testing.T) {
	t.Parallel()
	gpg := testenv.Tool(t, "gpg")
	home := testenv.GnuPGHome(t)
	alice, bob := openpgpKey(t, "Alice", now().AddDate(0, -6, 0)), openpgpKey(t, "Bob", now().AddDate(-3, 0, 0))
	run(t, gpg, "--homedir", home, "--batch", "--no-autostart", "--import", file(t, "a.asc", append(bytes.Clone(alice), bob...)))
	kbx, err := os.ReadFile(filepath.Join(home, "pubring.kbx"))
	if err != nil {
		t.Fatal(err)
	}
	for form, data := range map[string][]byte{
		"keybox":     kbx,
		"binary":     run(t, gpg, "--homedir", home, "--batch", "--no-autostart", "--export"),
		"armored":    run(t, gpg, "--homedir", home, "--batch", "--no-autostart", "--armor", "--export"),
		"two blocks": append(bytes.Clone(alice), bob...),
	} {
		found, err := read(t, data, anchors.Options{})
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		got := rooms(found)
		slices.Sort(got)
		if diff := cmp.Diff([]string{"openpgp Alice", "openpgp Bob"}, got); diff != "" {
			t.Errorf("%s: %s", form, diff)
		}
		if good := found.Undoubted(); len(good) != 1 || good[0].Name != "Alice" {
			t.Errorf("%s: nothing speaks against %v; Bob has expired", form, good)
		}
	}
}

func TestARevocationInTheFileCountsWhereverItStands(t *testing.T) {
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
	bob := openpgpKey(t, "Bob", now().AddDate(0, -6, 0))
	for name, data := range map[string][]byte{
		"in a second copy": slices.Concat(before, bob, after),
		"in the first":     slices.Concat(after, bob, before),
	} {
		found, err := read(t, data, anchors.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if good := found.Undoubted(); len(found.Anchors) != 2 || len(good) != 1 || good[0].Name != "Bob" {
			t.Errorf("%s: found %v", name, rooms(found))
		}
	}
}

func TestWhatIsNoAnchorIsSaidWithTheReason(t *testing.T) {
	t.Parallel()
	k := key(t)
	secret, err := newkeys.PrivatePEM(k.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := newkeys.PrivatePEM(k.Key, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "x", Created: now()})
	if err != nil {
		t.Fatal(err)
	}
	pgpSecret, err := newkeys.ArmoredSecret(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                          {nil, "empty"},
		"a script":                         {[]byte("#!/bin/bash\n"), "not a form that is known"},
		"a secret key":                     {secret, "a secret key does not belong"},
		"an encrypted one":                 {encrypted, "a secret key does not belong"},
		"a secret key behind certificates": {slices.Concat(k.ChainPEM(), secret), "PEM block 3: a secret key"},
		"a secret OpenPGP key":             {pgpSecret, "a secret key does not belong"},
		"DH parameters":                    {pemOf("DH PARAMETERS", []byte{0x30, 0}), `of type "DH PARAMETERS"`},
		"JSON":                             {[]byte(`{"mediaType":"text/plain"}`), "no trusted root"},
		"JSON with a key twice":            {[]byte(`{"mediaType":"a","mediaType":"application/vnd.dev.sigstore.trustedroot"}`), "twice"},
		"trust settings of OpenSSL":        {pemOf("TRUSTED CERTIFICATE", k.CA.Raw), "trust settings of OpenSSL"},
		"a block behind a byte-order mark": {append([]byte("\xef\xbb\xbf"), k.CAPEM...), "1 of 1 PEM blocks"},
		"a damaged block among good ones":  {slices.Concat(k.CAPEM, bytes.Replace(k.LeafPEM, []byte("MII"), []byte("M!I"), 1)), "PEM blocks cannot be read"},
		"damaged DER":                      {k.CA.Raw[:len(k.CA.Raw)-1], "neither certificates"},
		"a signature":                      {testSignature(t), "not a bag"},
		"a key database of GnuPG":          {[]byte("SQLite format 3\x00"), "key database"},
		"too much":                         {bytes.Repeat([]byte("x"), anchors.MaxFile+1), "larger than"},
	} {
		if found, err := read(t, c.data, anchors.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", name, found, err, c.want)
		}
	}
}

// testSignature is a SignedData with a signer.
func testSignature(t *testing.T) []byte {
	t.Helper()
	openssl := testenv.Tool(t, "openssl")
	return run(t, openssl, "cms", "-sign", "-binary", "-in", file(t, "text", []byte("text")), "-signer", file(t, "leaf.pem", key(t).LeafPEM),
		"-inkey", file(t, "key.pem", key(t).KeyPEM), "-outform", "DER", "-nodetach")
}
