package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

// oid encodes an identifier that is given as its DER body.
func oid(body string) []byte { return vectors.TLV(0x06, []byte(body)) }

var stamp = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func sha256Alg() []byte { return vectors.DigestAlgorithm(crypto.SHA256) }

func powerShellGUID() string { return vectors.StyleOf(".ps1").GUID }

func indirectData(sum []byte) []byte {
	return vectors.StyleOf(".ps1").IndirectData(crypto.SHA256, sum)
}

// forge is a signature whose parts a test may change before it is made.
type forge struct {
	*vectors.Message
	cert *x509.Certificate
}

func newForge(t testing.TB) *forge {
	t.Helper()
	id := vectors.Issue(t, stamp, "Forge", nil, vectors.CodeSigning, vectors.Serial(77))
	return &forge{vectors.NewMessage(id, crypto.SHA256, indirectData(bytes.Repeat([]byte{7}, 32))), id.Cert}
}

func TestAWellMadeSignatureIsReadAndVerifies(t *testing.T) {
	t.Parallel()
	bare := newForge(t)
	wrapped := newForge(t)
	wrapped.Version, wrapped.Digested = 3, wrapped.Content
	wrapped.Content = vectors.TLV(0x04, wrapped.Content)
	timed := newForge(t)
	timed.Attributes = append(timed.Standard()[:1:1], vectors.Attribute(vectors.OIDSigningTime, vectors.TLV(0x17, []byte("261122120000Z"))), timed.Standard()[1])
	slices.SortFunc(timed.Attributes, bytes.Compare)
	for name, f := range map[string]*forge{"bare": bare, "in an OCTET STRING": wrapped, "with a signing time": timed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sd, err := cms.Parse(f.Build(t))
			if err != nil {
				t.Fatal(err)
			}
			d, err := sd.ParseIndirectData()
			if err != nil || string(d.SIP[:]) != powerShellGUID() || len(d.Sum) != 32 {
				t.Fatalf("%+v, %v", d, err)
			}
			c, err := sd.SignerCertificate()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(sd.CheckMessageDigest(), sd.CheckSignature(c)); err != nil {
				t.Error(err)
			}
			if sd.Wrapped != (f == wrapped) || sd.Signer.SigningTime.IsZero() == (f == timed) {
				t.Errorf("%+v", sd.Signer)
			}
		})
	}
}

func TestEachAttackOnTheStructureIsRefused(t *testing.T) {
	t.Parallel()
	nested := func(depth int) []byte {
		b := vectors.TLV(0x05)
		for range depth {
			b = vectors.Seq(b)
		}
		return b
	}
	for name, edit := range map[string]func(f *forge){
		"no signed attributes":           func(f *forge) { f.Attributes = [][]byte{} },
		"content type attribute missing": func(f *forge) { f.Attributes = f.Standard()[1:] },
		"message digest missing":         func(f *forge) { f.Attributes = f.Standard()[:1] },
		"content type attribute of data": func(f *forge) {
			f.Attributes = [][]byte{vectors.Attribute(vectors.OIDContentType, vectors.OID(vectors.OIDSignedData)), f.Standard()[1]}
		},
		"content type attribute twice": func(f *forge) { f.Attributes = slices.Insert(f.Standard(), 0, f.Standard()[0]) },
		"message digest twice":         func(f *forge) { f.Attributes = append(f.Standard(), f.Standard()[1]) },
		"two values of a message digest": func(f *forge) {
			f.Attributes = [][]byte{f.Standard()[0], vectors.Attribute(vectors.OIDMessageDigest, vectors.TLV(0x04), vectors.TLV(0x04))}
		},
		"message digest of another type": func(f *forge) {
			f.Attributes = [][]byte{f.Standard()[0], vectors.Attribute(vectors.OIDMessageDigest, vectors.OID(vectors.OIDIndirectData))}
		},
		"attributes not in order": func(f *forge) { f.Attributes = f.Standard(); slices.Reverse(f.Attributes) },
		"signing time that is no time": func(f *forge) {
			f.Attributes = []([]byte){vectors.Attribute(vectors.OIDSigningTime, vectors.TLV(0x17, []byte("now"))), f.Standard()[0], f.Standard()[1]}
			slices.SortFunc(f.Attributes, bytes.Compare)
		},
		"zero signers":            func(f *forge) { f.NoSigner = true },
		"two signers":             func(f *forge) { f.ExtraSigners = vectors.Seq(vectors.Int(1)) },
		"empty digestAlgorithms":  func(f *forge) { f.DigestAlgorithms = nil },
		"two digestAlgorithms":    func(f *forge) { f.DigestAlgorithms = append(sha256Alg(), sha256Alg()...) },
		"another digestAlgorithm": func(f *forge) { f.DigestAlgorithms = vectors.Seq(oid("\x2b\x0e\x03\x02\x1a"), vectors.TLV(0x05)) },
		"odd parameters of a digest": func(f *forge) {
			f.DigestAlgorithms = vectors.Seq(vectors.OID("2.16.840.1.101.3.4.2.1"), vectors.Int(1))
		},
		"signer by key identifier":    func(f *forge) { f.SignerVersion = 3 },
		"version 3 with bare content": func(f *forge) { f.Version = 3 },
		"version 1 with OCTET STRING": func(f *forge) { f.Digested = f.Content; f.Content = vectors.TLV(0x04, f.Content) },
		"OCTET STRING with a rest": func(f *forge) {
			f.Version = 3
			f.Digested = append(f.Content, 5, 0)
			f.Content = vectors.TLV(0x04, f.Digested)
		},
		"OCTET STRING of BER": func(f *forge) {
			f.Version = 3
			f.Digested = []byte{0x30, 0x80, 0, 0}
			f.Content = vectors.TLV(0x04, f.Digested)
		},
		"two contents":                   func(f *forge) { f.Content = append(f.Content, f.Content...) },
		"a field too many":               func(f *forge) { f.After = vectors.TLV(0x05) },
		"revocation lists":               func(f *forge) { f.CRLs = vectors.TLV(0xA1) },
		"an attribute certificate":       func(f *forge) { f.Certificates = append(f.Certificates, vectors.TLV(0xA2)...) },
		"a certificate that is none":     func(f *forge) { f.Certificates = append(f.Certificates, vectors.Seq()...) },
		"thousands of certificates":      func(f *forge) { f.Certificates = bytes.Repeat(f.Certificates, 600) },
		"thousands of signed attributes": func(f *forge) { f.Attributes = manyAttributes(5000) },
		"thousands of attributes":        func(f *forge) { f.Unsigned = vectors.TLV(0xA1, slices.Concat(manyAttributes(5000)...)) },
		"an attribute with many values": func(f *forge) {
			f.Unsigned = vectors.TLV(0xA1, vectors.Attribute("1.2.3", bytes.Repeat(vectors.TLV(0x05), 5000)))
		},
		"unsigned attributes without one":  func(f *forge) { f.Unsigned = vectors.TLV(0xA1) },
		"an attribute that nests too deep": func(f *forge) { f.Unsigned = vectors.TLV(0xA1, vectors.Attribute("1.2.3", nested(80))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			edit(f)
			sd, err := cms.Parse(f.Build(t))
			var ce *cms.Error
			if sd != nil && err == nil || !errors.As(err, &ce) {
				t.Fatalf("parsed, %v", err)
			}
		})
	}
}

func manyAttributes(n int) [][]byte {
	var list [][]byte
	for i := range n {
		list = append(list, vectors.Attribute(fmt.Sprintf("1.2.%d", 20000+i), vectors.TLV(0x05)))
	}
	return list
}

func TestEachAttackOnTheContentIsRefused(t *testing.T) {
	t.Parallel()
	zeros := bytes.Repeat(vectors.Int(0), 5)
	sip := vectors.Seq(vectors.TLV(0x02, []byte{1, 0, 0}), vectors.TLV(0x04, []byte(powerShellGUID())), zeros)
	info := vectors.Seq(sha256Alg(), vectors.TLV(0x04, make([]byte, 32)))
	for name, content := range map[string][]byte{
		"data of a PE image":         vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDIndirectData), sip), info),
		"a field too many":           vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), sip), info, vectors.TLV(0x05)),
		"a short GUID":               vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.Seq(vectors.TLV(0x02, []byte{1, 0, 0}), vectors.TLV(0x04, make([]byte, 15)), zeros)), info),
		"reserved fields in use":     vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.Seq(vectors.TLV(0x02, []byte{1, 0, 0}), vectors.TLV(0x04, make([]byte, 16)), bytes.Repeat(vectors.Int(1), 5))), info),
		"four reserved fields":       vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.Seq(vectors.TLV(0x02, []byte{1, 0, 0}), vectors.TLV(0x04, make([]byte, 16)), zeros[3:])), info),
		"a huge version":             vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.Seq(vectors.TLV(0x02, bytes.Repeat([]byte{1}, 9)), vectors.TLV(0x04, make([]byte, 16)), zeros)), info),
		"an empty digest":            indirectData(nil),
		"a digest with extra bytes":  indirectData(make([]byte, 36)),
		"a digest of SHA-1":          vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), sip), vectors.Seq(vectors.Seq(oid("\x2b\x0e\x03\x02\x1a"), vectors.TLV(0x05)), vectors.TLV(0x04, make([]byte, 20)))),
		"odd parameters of a digest": vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), sip), vectors.Seq(vectors.Seq(vectors.OID("2.16.840.1.101.3.4.2.1"), vectors.TLV(0x04)), vectors.TLV(0x04, make([]byte, 32)))),
		"an empty sequence":          vectors.Seq(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.Content = content
			sd, err := cms.Parse(f.Build(t))
			if err != nil {
				t.Fatal(err)
			}
			var ce *cms.Error
			if d, err := sd.ParseIndirectData(); d != nil || !errors.As(err, &ce) {
				t.Errorf("read, %v", err)
			}
		})
	}
	t.Run("the GUID of another type", func(t *testing.T) {
		t.Parallel()
		f := newForge(t)
		f.Content = bytes.Replace(f.Content, []byte(powerShellGUID()), []byte("\x4e\xf0\x29\x16\x99\x27\xb5\x4d\x8f\xe5\xac\xe1\x0f\x17\xeb\xab"), 1)
		sd, err := cms.Parse(f.Build(t))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := sd.ParseIndirectData(); err != nil || string(d.SIP[:]) == powerShellGUID() {
			t.Errorf("a VBScript signature passes for PowerShell, %v", err)
		}
	})
}

func TestSwappedContentAndForgedValuesDoNotVerify(t *testing.T) {
	t.Parallel()
	swapped := newForge(t)
	swapped.Attributes = swapped.Standard()
	swapped.Content = indirectData(bytes.Repeat([]byte{8}, 32))
	sd, err := cms.Parse(swapped.Build(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.CheckMessageDigest(); !errors.Is(err, cms.ErrDigest) {
		t.Errorf("swapped content: %v", err)
	}
	other := newForge(t)
	other.Key = newForge(t).Key
	if sd, err = cms.Parse(other.Build(t)); err != nil {
		t.Fatal(err)
	}
	if err := sd.CheckSignature(other.cert); !errors.Is(err, cms.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	for name, alg := range map[string][]byte{
		"RSA-PSS":               vectors.Seq(oid("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), vectors.Seq()),
		"RSA named for EC":      vectors.Seq(oid("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), vectors.TLV(0x05)),
		"ECDSA with SHA-384":    vectors.Seq(oid("\x2a\x86\x48\xce\x3d\x04\x03\x03")),
		"ECDSA with parameters": vectors.Seq(vectors.OID(vectors.OIDECDSASHA256), vectors.Seq()),
		"EC key of P-384":       vectors.Seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), oid("\x2b\x81\x04\x00\x22")),
		"Ed25519":               vectors.Seq(oid("\x2b\x65\x70")),
	} {
		f := newForge(t)
		f.SignatureAlgorithm = alg
		sd, err := cms.Parse(f.Build(t))
		if err != nil {
			t.Fatal(err)
		}
		var ue *cms.UnsupportedError
		if err := sd.CheckSignature(f.cert); !errors.As(err, &ue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, alg := range map[string][]byte{
		"EC key":          vectors.Seq(oid("\x2a\x86\x48\xce\x3d\x02\x01")),
		"EC key of NULL":  vectors.Seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), vectors.TLV(0x05)),
		"EC key of P-256": vectors.Seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), oid("\x2a\x86\x48\xce\x3d\x03\x01\x07")),
	} {
		f := newForge(t)
		f.SignatureAlgorithm = alg
		sd, err := cms.Parse(f.Build(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := sd.CheckSignature(f.cert); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSignerIsOneCertificateByIssuerAndSerial(t *testing.T) {
	t.Parallel()
	twice, collision, absent := newForge(t), newForge(t), newForge(t)
	twice.Certificates = append(twice.Certificates, twice.cert.Raw...)
	collision.Certificates = append(collision.Certificates, newForge(t).cert.Raw...) // same names, same serial number
	absent.Serial = big.NewInt(78)
	for name, f := range map[string]*forge{"the same twice": twice, "a collision": collision, "absent": absent} {
		sd, err := cms.Parse(f.Build(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sd.SignerCertificate(); (err == nil) != (f == twice) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The attacks that stop or slow down BER readers: they are over in no time here,
// since nothing but DER is followed.
func TestBombsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	deep := func(tag byte, n int) []byte {
		var b []byte
		for range n {
			b = vectors.TLV(tag, b)
		}
		return b
	}
	for name, der := range map[string][]byte{
		"nothing":                     nil,
		"one byte":                    {0x30},
		"4 MB of nested BER":          bytes.Repeat([]byte{0x30, 0x80}, 2<<20),
		"256 KiB of nested BER":       bytes.Repeat([]byte{0x30, 0x80}, cms.MaxSize/2),
		"quadratic BER":               bytes.Repeat([]byte{0x24, 0x80, 0x04, 0x01, 0x00}, 32<<10),
		"3,000 nested sequences":      deep(0x30, 3_000),
		"3,000 nested context tags":   deep(0xA0, 3_000),
		"a sequence of 130,000 NULLs": vectors.Seq(bytes.Repeat(vectors.TLV(0x05), 130_000)),
		"larger than the limit":       vectors.Seq(make([]byte, cms.MaxSize)),
		"a length of 4 bytes":         {0x30, 0x84, 0, 0, 0, 0},
		"a length beyond the end":     {0x30, 0x83, 0xFF, 0xFF, 0xFF},
		"a length of 127 bytes":       append([]byte{0x30, 0xFF}, make([]byte, 127)...),
		"a padded length":             {0x30, 0x81, 0x00},
		"a length padded with zero":   append([]byte{0x30, 0x82, 0x00, 0x80}, make([]byte, 128)...),
		"a high tag number":           {0x3F, 0x81, 0x01, 0x00},
		"end of contents":             {0x30, 0x02, 0x00, 0x00},
		"a constructed string":        {0x30, 0x04, 0x24, 0x02, 0x04, 0x00},
		"a primitive sequence":        {0x10, 0x00},
		"a BOOLEAN of 1":              {0x30, 0x03, 0x01, 0x01, 0x01},
		"a padded INTEGER":            {0x30, 0x04, 0x02, 0x02, 0x00, 0x7F},
		"a padded negative INTEGER":   {0x30, 0x04, 0x02, 0x02, 0xFF, 0x80},
		"an empty INTEGER":            {0x30, 0x02, 0x02, 0x00},
		"a NULL with a value":         {0x30, 0x03, 0x05, 0x01, 0x00},
		"an OID with padding":         {0x30, 0x04, 0x06, 0x02, 0x80, 0x01},
		"an OID cut off":              {0x30, 0x03, 0x06, 0x01, 0x81},
		"an OID without end":          vectors.Seq(vectors.TLV(0x06, append(bytes.Repeat([]byte{0xFF}, 40), 1))),
		"a BIT STRING of 9 bits over": {0x30, 0x04, 0x03, 0x02, 0x09, 0x00},
		"a BIT STRING with dirt":      {0x30, 0x04, 0x03, 0x02, 0x01, 0x01},
		"an empty BIT STRING":         {0x30, 0x02, 0x03, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sd *cms.SignedData
			var err error
			took := testenv.CPUTime(t, func() { sd, err = cms.Parse(der) })
			var ce *cms.Error
			if sd != nil || !errors.As(err, &ce) {
				t.Fatalf("parsed, %v", err)
			}
			if took > 30*time.Second {
				t.Errorf("%s", took)
			}
		})
	}
}

func TestBytesBehindTheSignatureAreTrailing(t *testing.T) {
	t.Parallel()
	der := newForge(t).Build(t)
	for _, tail := range []string{"\x00", "\x05\x00", string(der), strings.Repeat("A", 4096)} {
		var ce *cms.Error
		if _, err := cms.Parse(append(bytes.Clone(der), tail...)); !errors.As(err, &ce) || ce.Code != cms.CodeTrailing || ce.Offset != len(der) {
			t.Errorf("%d bytes: %v", len(tail), err)
		}
	}
}

func TestKeysOfOtherKindsAndSizesAreNotUsed(t *testing.T) {
	t.Parallel()
	for name, curve := range map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var ue *cms.UnsupportedError
		if err := cms.CheckKey(k.Public()); !errors.As(err, &ue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := cms.CheckKey(nil); err == nil {
		t.Error("no key is a key")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(newForge(f).Build(f))
	wrapped := newForge(f)
	wrapped.Version, wrapped.Digested = 3, wrapped.Content
	wrapped.Content = vectors.TLV(0x04, wrapped.Content)
	f.Add(wrapped.Build(f))
	for _, der := range vectorSignatures(f) {
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		sd, err := cms.Parse(der)
		var ce *cms.Error
		if err != nil {
			if !errors.As(err, &ce) {
				t.Errorf("%T", err)
			}
			return
		}
		_, _ = sd.ParseIndirectData()
		_ = sd.CheckMessageDigest()
		if c, err := sd.SignerCertificate(); err == nil {
			_ = sd.CheckSignature(c)
		}
	})
}

// vectorSignatures are the signatures of the shared vectors, where there are any.
func vectorSignatures(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(testenv.Root(t)), "shared", "vectors", "authenticode", "cms", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, block, _ := strings.Cut(string(data), "# SIG # Begin signature block\r\n")
		block, _, _ = strings.Cut(block, "# SIG #")
		der, err := base64.StdEncoding.DecodeString(strings.NewReplacer("# ", "", "\r\n", "").Replace(block))
		if err == nil {
			list = append(list, der)
		}
	}
	return list
}
