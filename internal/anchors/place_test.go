package anchors_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/anchors"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// authority is a certificate of an authority that edit made odd.
func authority(t *testing.T, edit func(*x509.Certificate)) []byte {
	t.Helper()
	return selfSigned(t, func(c *x509.Certificate) {
		c.ExtKeyUsage, c.KeyUsage = nil, x509.KeyUsageCertSign
		c.BasicConstraintsValid, c.IsCA = true, true
		if edit != nil {
			edit(c)
		}
	})
}

func usages(list ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = list }
}

func public(t *testing.T, k crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PUBLIC KEY", der)
}

func TestTheContentOfACertificateSaysItsRoom(t *testing.T) {
	t.Parallel()
	const code, stamps, server = x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageServerAuth
	list := pemOf("X509 CRL", revocationList(t))
	pgp := openpgpKey(t, "Alice", now().AddDate(0, -6, 0))
	for name, c := range map[string]struct {
		data   []byte
		wanted verifier.Room
		room   verifier.Room
		why    string
	}{
		"an authority":                         {authority(t, nil), "", "x509-ca", ""},
		"one for code signing":                 {authority(t, usages(code)), "", "x509-ca", ""},
		"one for everything":                   {authority(t, usages(x509.ExtKeyUsageAny)), "", "x509-ca", ""},
		"one for timestamps":                   {authority(t, usages(stamps)), "", "tsa", ""},
		"one for both":                         {authority(t, usages(code, stamps)), "", "x509-ca", ""},
		"one for both, by wish":                {authority(t, usages(code, stamps)), "tsa", "tsa", ""},
		"one for web servers":                  {authority(t, usages(server)), "", "", "not for code signing"},
		"one for web servers, by wish":         {authority(t, usages(server)), "x509-ca", "", "not for code signing"},
		"an authority for timestamps, by wish": {authority(t, nil), "tsa", "tsa", ""},
		"one for code only, by wish":           {authority(t, usages(code)), "tsa", "", "not for timestamps"},
		"one that may not sign certificates": {authority(t, func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageDigitalSignature
		}), "", "", "neither an authority"},
		"a signer that signed itself":     {selfSigned(t, nil), "", "x509-ca", ""},
		"a timestamper likewise":          {selfSigned(t, usages(stamps)), "", "tsa", ""},
		"a web server likewise":           {selfSigned(t, usages(server)), "", "", "not for code signing"},
		"one without a purpose":           {selfSigned(t, usages()), "", "", "neither an authority nor"},
		"a signer that somebody issued":   {key(t).LeafPEM, "", "", "CN=writ test CA\" issued it"},
		"the same by wish":                {key(t).LeafPEM, "x509-ca", "", "issued it"},
		"a certificate among OpenPGP":     {key(t).CAPEM, "openpgp", "", "does not belong into the room openpgp"},
		"a public key":                    {public(t, key(t).Key.Public()), "", "sigstore", ""},
		"a public key by wish elsewhere":  {public(t, key(t).Key.Public()), "x509-ca", "", "does not belong into the room x509-ca"},
		"a public key of another kind":    {public(t, ed25519.PublicKey(make([]byte, 32))), "", "", "cannot use"},
		"a public key that is none":       {pemOf("PUBLIC KEY", []byte{0x30, 0}), "", "", "cannot be read"},
		"a trusted root":                  {[]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), "", "sigstore", ""},
		"a trusted root by wish":          {[]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), "tsa", "", "does not belong"},
		"a list":                          {list, "", "crl", ""},
		"a list among certificates":       {list, "x509-ca", "", "does not belong into the room x509-ca"},
		"an OpenPGP certificate":          {pgp, "", "openpgp", ""},
		"an OpenPGP certificate as a tsa": {pgp, "tsa", "", "does not belong into the room tsa"},
	} {
		found, err := read(t, c.data, anchors.Options{Room: c.wanted})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := found.Anchors[0]
		if a.Room != c.room || !strings.Contains(a.Why, c.why) || (c.room == "") != (a.Why != "") {
			t.Errorf("%s: got room %q, %q", name, a.Room, a.Why)
		}
		if _, err := found.Select(nil, false); (err == nil) != (c.room != "") {
			t.Errorf("%s: select says %v", name, err)
		}
	}
}

func TestWhatSpeaksAgainstACertificateIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"in its time":   {key(t).CAPEM, ""},
		"expired":       {authority(t, func(c *x509.Certificate) { c.NotAfter = now().Add(-time.Hour) }), "has expired"},
		"not yet valid": {authority(t, func(c *x509.Certificate) { c.NotBefore = now().Add(time.Hour) }), "not valid yet"},
		"too weak":      {weak(t), "too short"},
		"an OpenPGP certificate that expired": {
			openpgpKey(t, "Alice", now().AddDate(-2, 0, 0)), "no key of it may sign now",
		},
	} {
		found, err := read(t, c.data, anchors.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a := found.Anchors[0]
		if a.Room == "" || (c.want == "") != (a.Doubt == "") || !strings.Contains(a.Doubt, c.want) {
			t.Errorf("%s: got %q", name, a.Doubt)
		}
		if _, err := found.Select(nil, true); (err == nil) != (c.want == "") {
			t.Errorf("%s: with all: %v", name, err)
		}
		if _, err := found.Select([]string{a.ID}, false); err != nil {
			t.Errorf("%s: by name: %v", name, err)
		}
	}
}

func weak(t *testing.T) []byte {
	t.Helper()
	k, err := newkeys.X509(newkeys.X509Options{Algorithm: "rsa1024", Subject: "weak", NotBefore: testenv.VectorTime(), SelfSigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return k.LeafPEM
}

func TestTheEffectSaysWhomTheStoreTrusts(t *testing.T) {
	t.Parallel()
	k := key(t)
	intermediate, err := newkeys.X509(newkeys.X509Options{Subject: "below", NotBefore: now(), Issuer: k, Edit: func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}})
	if err != nil {
		t.Fatal(err)
	}
	pins := map[verifier.Room]bool{verifier.RoomX509Pins: true, verifier.RoomOpenPGPPins: true}
	for name, c := range map[string]struct {
		data   []byte
		around anchors.Surroundings
		want   string
	}{
		"an authority":                {k.CAPEM, anchors.Surroundings{}, "everybody whom CN=writ test CA certifies for code signing, directly or through others, until 2027-05-22"},
		"an authority beside pins":    {k.CAPEM, anchors.Surroundings{Pinned: pins}, "of those only whom the pins of the store name"},
		"a signer":                    {selfSigned(t, nil), anchors.Surroundings{}, "whatever CN=alone signs, by this certificate alone"},
		"an expired one":              {selfSigned(t, func(c *x509.Certificate) { c.NotAfter = now().AddDate(0, -1, 0) }), anchors.Surroundings{}, "; but it has expired"},
		"one between, with its root":  {intermediate.LeafPEM, anchors.Surroundings{Authorities: []*x509.Certificate{k.CA}}, "nobody whom CN=writ test CA does not vouch for"},
		"one between, without a root": {intermediate.LeafPEM, anchors.Surroundings{}, "nobody: it completes chains, and the authority above it, CN=writ test CA, is not in the store"},
		"a timestamp authority":       {authority(t, usages(x509.ExtKeyUsageTimeStamping)), anchors.Surroundings{}, "timestamps by CN=alone and all whom it certifies, in all stores"},
		"a list":                      {pemOf("X509 CRL", revocationList(t, big.NewInt(7))), anchors.Surroundings{}, "it takes trust from 1 certificates of CN=writ test CA, in all stores; where a store requires that revocation is known, it speaks for the others"},
		"a public key":                {public(t, k.Key.Public()), anchors.Surroundings{}, "whoever has the key of sigstore-key:"},
		"an OpenPGP certificate":      {openpgpKey(t, "Alice", now().AddDate(0, -6, 0)), anchors.Surroundings{Pinned: pins}, "whatever Alice signs, of those only"},
	} {
		found, err := read(t, c.data, anchors.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := found.Anchors[0].Effect(c.around); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
