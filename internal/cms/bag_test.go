package cms_test

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

// bagOf writes a SignedData that signs nothing. Parts that are nil are left out.
func bagOf(certificates, lists [][]byte, signers []byte) []byte {
	signed := cryptobyte.Builder{}
	context := func(b *cryptobyte.Builder, tag uint8, list [][]byte) {
		if list == nil {
			return
		}
		b.AddASN1(asn1.Tag(tag).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			for _, der := range list {
				b.AddBytes(der)
			}
		})
	}
	data := []byte{0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 7, 1}
	signed.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte{0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 13, 1, 7, 2})
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(asn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(data) })
				context(b, 0, certificates)
				context(b, 1, lists)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(signers) })
			})
		})
	})
	return signed.BytesOrPanic()
}

var emptySequence = []byte{0x30, 0}

func TestABagOfOpenSSLIsReadWhole(t *testing.T) {
	t.Parallel()
	openssl := testenv.Tool(t, "openssl")
	k, err := newkeys.X509(newkeys.X509Options{Subject: "bag", NotBefore: testenv.VectorTime()})
	if err != nil {
		t.Fatal(err)
	}
	chain := filepath.Join(t.TempDir(), "chain.pem")
	if err := os.WriteFile(chain, k.ChainPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(openssl, "crl2pkcs7", "-nocrl", "-certfile", chain, "-outform", "DER").Output()
	if err != nil {
		t.Fatal(err)
	}
	bag, err := cms.ParseBag(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(bag.Certificates) != 2 || len(bag.CRLs) != 0 {
		t.Fatalf("%d certificates, %d lists", len(bag.Certificates), len(bag.CRLs))
	}
	for i, want := range [][]byte{k.LeafPEM, k.CAPEM} {
		got := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bag.Certificates[i]})
		if !bytes.Equal(got, want) {
			t.Errorf("certificate %d is another one", i)
		}
	}
}

func TestWhatIsNoBagIsRefused(t *testing.T) {
	t.Parallel()
	good := bagOf([][]byte{emptySequence}, [][]byte{emptySequence}, nil)
	if bag, err := cms.ParseBag(good); err != nil || len(bag.Certificates) != 1 || len(bag.CRLs) != 1 {
		t.Fatalf("%v, %v", bag, err)
	}
	many := make([][]byte, cms.MaxBagCertificates+1)
	for i := range many {
		many[i] = emptySequence
	}
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"bytes behind it":      {append(bytes.Clone(good), 0), "follow"},
		"a signer":             {bagOf([][]byte{emptySequence}, nil, emptySequence), "a signature"},
		"too many":             {bagOf(many, nil, nil), "more than"},
		"no certificate in it": {bagOf([][]byte{{2, 1, 0}}, nil, nil), "missing or of the wrong type"},
		"cut off":              {good[:len(good)-1], "beyond the end"},
		"not DER":              {append([]byte{0x30, 0x80}, good[2:]...), "indefinite"},
		"too large":            {make([]byte, cms.MaxBagSize+1), "the limit"},
		"deeper than allowed":  {bytes.Repeat([]byte{0x30, 0x80}, 100), "indefinite"},
	} {
		if _, err := cms.ParseBag(c.der); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseBag(f *testing.F) {
	f.Add(bagOf([][]byte{emptySequence}, [][]byte{emptySequence}, nil))
	f.Add(bagOf(nil, nil, nil))
	f.Add(bagOf(nil, nil, emptySequence))
	f.Fuzz(func(t *testing.T, der []byte) {
		bag, err := cms.ParseBag(der)
		if err != nil {
			return
		}
		size := 0
		for _, c := range append(bag.Certificates, bag.CRLs...) {
			size += len(c)
		}
		if size > len(der) {
			t.Errorf("%d bytes out of %d", size, len(der))
		}
	})
}
