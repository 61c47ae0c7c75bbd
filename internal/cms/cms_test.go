package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
)

// tlv encodes one element in DER.
func tlv(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	default:
		return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
	}
}

func seq(parts ...[]byte) []byte { return tlv(0x30, parts...) }
func set(parts ...[]byte) []byte { return tlv(0x31, parts...) }
func integer(n byte) []byte      { return tlv(0x02, []byte{n}) }

// oid encodes the last arcs of an identifier, given as its DER body.
func oid(body string) []byte { return tlv(0x06, []byte(body)) }

const (
	signedDataOID    = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
	contentTypeOID   = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"
	messageDigestOID = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"
	signingTimeOID   = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"
	indirectOID      = "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04"
	sipInfoOID       = "\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x1e"
	sha256OID        = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	ecdsaSHA256OID   = "\x2a\x86\x48\xce\x3d\x04\x03\x02"
)

func sha256Alg() []byte { return seq(oid(sha256OID), tlv(0x05)) }

// forge holds the parts of a signature that a test may change before they are
// put together and signed.
type forge struct {
	key                                              *ecdsa.PrivateKey
	cert                                             *x509.Certificate
	version, siVersion                               byte
	content, wrapped                                 []byte // the eContent element; wrapped overrides what is digested
	digestAlgs, digestAlg, signatureAlg, issuer      []byte
	attributes                                       [][]byte
	certificates, crls, unsigned, extraSigner, after []byte
	serial                                           *big.Int
	noSigner                                         bool
}

var stamp = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func newForge(t testing.TB) *forge {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "Forge"},
		NotBefore: stamp, NotAfter: stamp.AddDate(1, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &forge{
		key: key, cert: cert, version: 1, siVersion: 1, serial: cert.SerialNumber, issuer: cert.RawIssuer,
		content:    indirectData(bytes.Repeat([]byte{7}, 32)),
		digestAlgs: sha256Alg(), digestAlg: sha256Alg(), signatureAlg: seq(oid(ecdsaSHA256OID)),
		certificates: raw,
	}
}

func indirectData(sum []byte) []byte {
	zeros := bytes.Repeat(integer(0), 5)
	return seq(
		seq(oid(sipInfoOID), seq(tlv(0x02, []byte{1, 0, 0}), tlv(0x04, []byte(cms.PowerShellSIP)), zeros)),
		seq(sha256Alg(), tlv(0x04, sum)))
}

func attribute(id string, values ...[]byte) []byte { return seq(oid(id), set(values...)) }

// standard are the attributes that bind the content, in DER order.
func (f *forge) standard() [][]byte {
	digested := f.wrapped
	if digested == nil {
		digested = f.content[2:]
		if f.content[1] >= 0x80 {
			digested = f.content[2+f.content[1]&0x7F:]
		}
	}
	sum := sha256.Sum256(digested)
	return [][]byte{attribute(contentTypeOID, oid(indirectOID)), attribute(messageDigestOID, tlv(0x04, sum[:]))}
}

func (f *forge) build(t testing.TB) []byte {
	t.Helper()
	if f.attributes == nil {
		f.attributes = f.standard()
	}
	signed := slices.Concat(f.attributes...)
	digest := sha256.Sum256(set(signed))
	value, err := f.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	si := seq(integer(f.siVersion), seq(f.issuer, tlv(0x02, f.serial.Bytes())), f.digestAlg,
		tlv(0xA0, signed), f.signatureAlg, tlv(0x04, value), f.unsigned)
	if f.noSigner {
		si = nil
	}
	return seq(oid(signedDataOID), tlv(0xA0, seq(
		integer(f.version), set(f.digestAlgs),
		seq(oid(indirectOID), tlv(0xA0, f.content)),
		tlv(0xA0, f.certificates), f.crls, set(si, f.extraSigner), f.after)))
}

func TestAWellMadeSignatureIsReadAndVerifies(t *testing.T) {
	t.Parallel()
	bare := newForge(t)
	wrapped := newForge(t)
	wrapped.version, wrapped.wrapped = 3, wrapped.content
	wrapped.content = tlv(0x04, wrapped.content)
	timed := newForge(t)
	timed.attributes = append(timed.standard()[:1:1], attribute(signingTimeOID, tlv(0x17, []byte("261122120000Z"))), timed.standard()[1])
	slices.SortFunc(timed.attributes, bytes.Compare)
	for name, f := range map[string]*forge{"bare": bare, "in an OCTET STRING": wrapped, "with a signing time": timed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sd, err := cms.Parse(f.build(t))
			if err != nil {
				t.Fatal(err)
			}
			d, err := sd.ParseIndirectData()
			if err != nil || !d.IsPowerShell() || len(d.Sum) != 32 {
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
		b := tlv(0x05)
		for range depth {
			b = seq(b)
		}
		return b
	}
	for name, edit := range map[string]func(f *forge){
		"no signed attributes":           func(f *forge) { f.attributes = [][]byte{} },
		"content type attribute missing": func(f *forge) { f.attributes = f.standard()[1:] },
		"message digest missing":         func(f *forge) { f.attributes = f.standard()[:1] },
		"content type attribute of data": func(f *forge) {
			f.attributes = [][]byte{attribute(contentTypeOID, oid(signedDataOID)), f.standard()[1]}
		},
		"content type attribute twice": func(f *forge) { f.attributes = slices.Insert(f.standard(), 0, f.standard()[0]) },
		"message digest twice":         func(f *forge) { f.attributes = append(f.standard(), f.standard()[1]) },
		"two values of a message digest": func(f *forge) {
			f.attributes = [][]byte{f.standard()[0], attribute(messageDigestOID, tlv(0x04), tlv(0x04))}
		},
		"message digest of another type": func(f *forge) {
			f.attributes = [][]byte{f.standard()[0], attribute(messageDigestOID, oid(indirectOID))}
		},
		"attributes not in order": func(f *forge) { f.attributes = f.standard(); slices.Reverse(f.attributes) },
		"signing time that is no time": func(f *forge) {
			f.attributes = []([]byte){attribute(signingTimeOID, tlv(0x17, []byte("now"))), f.standard()[0], f.standard()[1]}
			slices.SortFunc(f.attributes, bytes.Compare)
		},
		"zero signers":                     func(f *forge) { f.noSigner = true },
		"two signers":                      func(f *forge) { f.extraSigner = seq(integer(1)) },
		"empty digestAlgorithms":           func(f *forge) { f.digestAlgs = nil },
		"two digestAlgorithms":             func(f *forge) { f.digestAlgs = append(sha256Alg(), sha256Alg()...) },
		"another digestAlgorithm":          func(f *forge) { f.digestAlgs = seq(oid("\x2b\x0e\x03\x02\x1a"), tlv(0x05)) },
		"odd parameters of a digest":       func(f *forge) { f.digestAlgs = seq(oid(sha256OID), integer(1)) },
		"signer by key identifier":         func(f *forge) { f.siVersion = 3 },
		"version 3 with bare content":      func(f *forge) { f.version = 3 },
		"version 1 with OCTET STRING":      func(f *forge) { f.wrapped = f.content; f.content = tlv(0x04, f.content) },
		"OCTET STRING with a rest":         func(f *forge) { f.version = 3; f.wrapped = append(f.content, 5, 0); f.content = tlv(0x04, f.wrapped) },
		"OCTET STRING of BER":              func(f *forge) { f.version = 3; f.wrapped = []byte{0x30, 0x80, 0, 0}; f.content = tlv(0x04, f.wrapped) },
		"two contents":                     func(f *forge) { f.content = append(f.content, f.content...) },
		"a field too many":                 func(f *forge) { f.after = tlv(0x05) },
		"revocation lists":                 func(f *forge) { f.crls = tlv(0xA1) },
		"an attribute certificate":         func(f *forge) { f.certificates = append(f.certificates, tlv(0xA2)...) },
		"a certificate that is none":       func(f *forge) { f.certificates = append(f.certificates, seq()...) },
		"thousands of certificates":        func(f *forge) { f.certificates = bytes.Repeat(f.certificates, 600) },
		"thousands of signed attributes":   func(f *forge) { f.attributes = manyAttributes(5000) },
		"thousands of attributes":          func(f *forge) { f.unsigned = tlv(0xA1, slices.Concat(manyAttributes(5000)...)) },
		"an attribute with many values":    func(f *forge) { f.unsigned = tlv(0xA1, attribute("\x2a\x03", bytes.Repeat(tlv(0x05), 5000))) },
		"unsigned attributes without one":  func(f *forge) { f.unsigned = tlv(0xA1) },
		"an attribute that nests too deep": func(f *forge) { f.unsigned = tlv(0xA1, attribute("\x2a\x03", nested(40))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			edit(f)
			sd, err := cms.Parse(f.build(t))
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
		list = append(list, attribute(string([]byte{0x2a, 0x81 + byte(i>>14), 0x80 | byte(i>>7&0x7F), byte(i & 0x7F)}), tlv(0x05)))
	}
	return list
}

func TestEachAttackOnTheContentIsRefused(t *testing.T) {
	t.Parallel()
	zeros := bytes.Repeat(integer(0), 5)
	sip := seq(tlv(0x02, []byte{1, 0, 0}), tlv(0x04, []byte(cms.PowerShellSIP)), zeros)
	info := seq(sha256Alg(), tlv(0x04, make([]byte, 32)))
	for name, content := range map[string][]byte{
		"data of a PE image":         seq(seq(oid(indirectOID), sip), info),
		"a field too many":           seq(seq(oid(sipInfoOID), sip), info, tlv(0x05)),
		"a short GUID":               seq(seq(oid(sipInfoOID), seq(tlv(0x02, []byte{1, 0, 0}), tlv(0x04, make([]byte, 15)), zeros)), info),
		"reserved fields in use":     seq(seq(oid(sipInfoOID), seq(tlv(0x02, []byte{1, 0, 0}), tlv(0x04, make([]byte, 16)), bytes.Repeat(integer(1), 5))), info),
		"four reserved fields":       seq(seq(oid(sipInfoOID), seq(tlv(0x02, []byte{1, 0, 0}), tlv(0x04, make([]byte, 16)), zeros[3:])), info),
		"a huge version":             seq(seq(oid(sipInfoOID), seq(tlv(0x02, bytes.Repeat([]byte{1}, 9)), tlv(0x04, make([]byte, 16)), zeros)), info),
		"an empty digest":            indirectData(nil),
		"a digest with extra bytes":  indirectData(make([]byte, 36)),
		"a digest of SHA-1":          seq(seq(oid(sipInfoOID), sip), seq(seq(oid("\x2b\x0e\x03\x02\x1a"), tlv(0x05)), tlv(0x04, make([]byte, 20)))),
		"odd parameters of a digest": seq(seq(oid(sipInfoOID), sip), seq(seq(oid(sha256OID), tlv(0x04)), tlv(0x04, make([]byte, 32)))),
		"an empty sequence":          seq(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.content = content
			sd, err := cms.Parse(f.build(t))
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
		f.content = bytes.Replace(f.content, []byte(cms.PowerShellSIP), []byte("\x4e\xf0\x29\x16\x99\x27\xb5\x4d\x8f\xe5\xac\xe1\x0f\x17\xeb\xab"), 1)
		sd, err := cms.Parse(f.build(t))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := sd.ParseIndirectData(); err != nil || d.IsPowerShell() {
			t.Errorf("a VBScript signature passes for PowerShell, %v", err)
		}
	})
}

func TestSwappedContentAndForgedValuesDoNotVerify(t *testing.T) {
	t.Parallel()
	swapped := newForge(t)
	swapped.attributes = swapped.standard()
	swapped.content = indirectData(bytes.Repeat([]byte{8}, 32))
	sd, err := cms.Parse(swapped.build(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.CheckMessageDigest(); !errors.Is(err, cms.ErrDigest) {
		t.Errorf("swapped content: %v", err)
	}
	other := newForge(t)
	other.key = newForge(t).key
	if sd, err = cms.Parse(other.build(t)); err != nil {
		t.Fatal(err)
	}
	if err := sd.CheckSignature(other.cert); !errors.Is(err, cms.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	for name, alg := range map[string][]byte{
		"RSA-PSS":               seq(oid("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), seq()),
		"RSA named for EC":      seq(oid("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), tlv(0x05)),
		"ECDSA with SHA-384":    seq(oid("\x2a\x86\x48\xce\x3d\x04\x03\x03")),
		"ECDSA with parameters": seq(oid(ecdsaSHA256OID), seq()),
		"EC key of P-384":       seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), oid("\x2b\x81\x04\x00\x22")),
		"Ed25519":               seq(oid("\x2b\x65\x70")),
	} {
		f := newForge(t)
		f.signatureAlg = alg
		sd, err := cms.Parse(f.build(t))
		if err != nil {
			t.Fatal(err)
		}
		var ue *cms.UnsupportedError
		if err := sd.CheckSignature(f.cert); !errors.As(err, &ue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, alg := range map[string][]byte{
		"EC key":          seq(oid("\x2a\x86\x48\xce\x3d\x02\x01")),
		"EC key of NULL":  seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), tlv(0x05)),
		"EC key of P-256": seq(oid("\x2a\x86\x48\xce\x3d\x02\x01"), oid("\x2a\x86\x48\xce\x3d\x03\x01\x07")),
	} {
		f := newForge(t)
		f.signatureAlg = alg
		sd, err := cms.Parse(f.build(t))
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
	twice.certificates = append(twice.certificates, twice.cert.Raw...)
	collision.certificates = append(collision.certificates, newForge(t).cert.Raw...) // same names, same serial number
	absent.serial = big.NewInt(78)
	for name, f := range map[string]*forge{"the same twice": twice, "a collision": collision, "absent": absent} {
		sd, err := cms.Parse(f.build(t))
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
			b = tlv(tag, b)
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
		"a sequence of 130,000 NULLs": seq(bytes.Repeat(tlv(0x05), 130_000)),
		"larger than the limit":       seq(make([]byte, cms.MaxSize)),
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
		"an OID without end":          seq(tlv(0x06, append(bytes.Repeat([]byte{0xFF}, 40), 1))),
		"a BIT STRING of 9 bits over": {0x30, 0x04, 0x03, 0x02, 0x09, 0x00},
		"a BIT STRING with dirt":      {0x30, 0x04, 0x03, 0x02, 0x01, 0x01},
		"an empty BIT STRING":         {0x30, 0x02, 0x03, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			sd, err := cms.Parse(der)
			var ce *cms.Error
			if sd != nil || !errors.As(err, &ce) {
				t.Fatalf("parsed, %v", err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%s", took)
			}
		})
	}
}

func TestBytesBehindTheSignatureAreTrailing(t *testing.T) {
	t.Parallel()
	der := newForge(t).build(t)
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
	f.Add(newForge(f).build(f))
	wrapped := newForge(f)
	wrapped.version, wrapped.wrapped = 3, wrapped.content
	wrapped.content = tlv(0x04, wrapped.content)
	f.Add(wrapped.build(f))
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
