package format_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

const forgedContent = "Write-Output 1\r\n"

// TestAdversarialMessages: signatures that are well signed and not well made.
func TestAdversarialMessages(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	evil := newScriptForger(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	sum := style.Digest(crypto.SHA256, content)
	const malformed, structure = verifier.Malformed, verifier.CheckStructure
	for name, c := range map[string]struct {
		edit    func(m *vectors.Message)
		verdict verifier.Verdict
		check   verifier.CheckID
		code    string
	}{
		"00 nothing is changed":        {func(*vectors.Message) {}, verifier.Valid, "", ""},
		"00 content in OCTET STRING":   {func(m *vectors.Message) { m.Wrap() }, verifier.Valid, "", ""},
		"47 no signed attributes":      {func(m *vectors.Message) { m.NoAttributes = true }, malformed, structure, "cms-structure"},
		"47 attributes without one":    {func(m *vectors.Message) { m.Attributes = [][]byte{} }, malformed, structure, "cms-structure"},
		"48 content type missing":      {func(m *vectors.Message) { m.Attributes = m.Standard()[1:] }, malformed, structure, "cms-structure"},
		"48 content type of data":      {func(m *vectors.Message) { m.ContentType = vectors.OIDData }, malformed, structure, "cms-structure"},
		"48 content types that differ": {otherContentType, malformed, structure, "cms-structure"},
		"49 message digest twice":      {func(m *vectors.Message) { m.Attributes = append(m.Standard(), m.Standard()[1]) }, malformed, structure, "cms-structure"},
		"49 two message digests":       {secondDigest, malformed, structure, "cms-structure"},
		"50 attributes not in order":   {func(m *vectors.Message) { m.Attributes = m.Standard(); slices.Reverse(m.Attributes) }, malformed, structure, "cms-structure"},
		"51 signed as VBScript":        {func(m *vectors.Message) { m.Content = vectors.StyleOf(".vbs").IndirectData(crypto.SHA256, sum) }, malformed, structure, ""},
		"51 signed as JScript":         {func(m *vectors.Message) { m.Content = vectors.StyleOf(".js").IndirectData(crypto.SHA256, sum) }, malformed, structure, ""},
		"51 signed as installer":       {asSIP(0x10000, vectors.MSIGUID), malformed, structure, ""},
		"51 another version of it":     {asSIP(1, style.GUID), malformed, structure, ""},
		"51 signed as a program":       {asProgram, malformed, structure, "cms-structure"},
		"52 SHA-1 inside SHA-256": {func(m *vectors.Message) {
			m.Content = style.IndirectData(crypto.SHA1, style.Digest(crypto.SHA1, content))
		}, malformed, structure, "cms-structure"},
		"52 SHA-512 inside SHA-256": {func(m *vectors.Message) {
			m.Content = style.IndirectData(crypto.SHA512, style.Digest(crypto.SHA512, content))
		}, malformed, structure, "cms-structure"},
		"52 another one for the set": {func(m *vectors.Message) { m.DigestAlgorithms = vectors.DigestAlgorithm(crypto.SHA1) }, malformed, structure, "cms-structure"},
		"54 a digest and more": {func(m *vectors.Message) {
			m.Content = style.IndirectData(crypto.SHA256, append(bytes.Clone(sum), "more"...))
		}, malformed, structure, "cms-structure"},
		"54 no digest":               {func(m *vectors.Message) { m.Content = style.IndirectData(crypto.SHA256, nil) }, malformed, structure, "cms-structure"},
		"54 of other content":        {func(m *vectors.Message) { m.Content = style.IndirectData(crypto.SHA256, make([]byte, 32)) }, verifier.Tampered, verifier.CheckContentDigest, ""},
		"54 swapped after signing":   {func(m *vectors.Message) { m.Digested = []byte("other content") }, verifier.Tampered, verifier.CheckContentDigest, "content-swapped"},
		"55 a second signer":         {func(m *vectors.Message) { m.ExtraSigners = evil.message(style, content).SignerInfo(t) }, malformed, structure, "cms-structure"},
		"55 the same signer twice":   {func(m *vectors.Message) { m.ExtraSigners = m.SignerInfo(t) }, malformed, structure, "cms-structure"},
		"59 3 KB of attributes":      {func(m *vectors.Message) { m.AddUnsigned(stuffing(3000)) }, verifier.Valid, "", "unsigned-attribute"},
		"59 5 KB of attributes":      {func(m *vectors.Message) { m.AddUnsigned(stuffing(5000)) }, malformed, structure, ""},
		"60 garbage for a timestamp": {func(m *vectors.Message) { m.AddUnsigned(vectors.TokenAttribute(vectors.Octets([]byte("garbage")))) }, verifier.Valid, "", "timestamp"},
		"62 RSA-PSS": {func(m *vectors.Message) {
			m.SignatureAlgorithm = vectors.Seq(vectors.OID(vectors.OIDPSS), vectors.Seq())
		}, verifier.Unsupported, verifier.CheckSupported, ""},
		"63 a field too many":          {fieldTooMany, malformed, structure, "cms-structure"},
		"81 another leaf of that name": {func(m *vectors.Message) { m.Certificates = append(m.Certificates, twin(t, f).Cert.Raw...) }, malformed, structure, "cms-structure"},
		"82 signer by its key's name":  {byKeyID, malformed, structure, "cms-structure"},
		"83 no signer":                 {func(m *vectors.Message) { m.NoSigner = true }, malformed, structure, "cms-structure"},
		"83 no digest algorithm":       {func(m *vectors.Message) { m.DigestAlgorithms = nil }, malformed, structure, "cms-structure"},
		"83 no certificates":           {func(m *vectors.Message) { m.Certificates = nil }, malformed, structure, "cms-structure"},
		"83 certificates without one":  {func(m *vectors.Message) { m.Certificates = []byte{} }, malformed, structure, "cms-structure"},
		"83 no content":                {func(m *vectors.Message) { m.Content = nil }, malformed, structure, "cms-structure"},
		"84 a thousand certificates":   {func(m *vectors.Message) { m.Certificates = bytes.Repeat(m.Certificates, 400) }, malformed, structure, "cms-structure"},
		"84 a thousand attributes":     {func(m *vectors.Message) { m.AddUnsigned(bytes.Repeat(stuffing(1), 1000)) }, malformed, structure, "cms-structure"},
		"84 an attribute that nests":   {func(m *vectors.Message) { m.AddUnsigned(vectors.Attribute("1.2.3", deep(1000))) }, malformed, structure, "cms-structure"},
		"00 a key of another":          {func(m *vectors.Message) { m.Key = evil.leaf.Key }, verifier.BadSignature, verifier.CheckSignature, ""},
		"00 an untrusted signer":       {func(m *vectors.Message) { *m = *evil.message(style, content) }, verifier.Untrusted, verifier.CheckTrust, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := f.message(style, content)
			c.edit(m)
			attack{name, style.Render(content, m.Build(t)), "", c.verdict, c.check, c.code}.judge(t, v)
		})
	}
}

func otherContentType(m *vectors.Message) {
	m.Attributes = m.Standard()
	m.Attributes[0] = vectors.Attribute(vectors.OIDContentType, vectors.OID(vectors.OIDData))
}

func secondDigest(m *vectors.Message) {
	m.AddSigned(vectors.Attribute(vectors.OIDMessageDigest, vectors.Octets(make([]byte, 32))))
}

func asSIP(version int64, guid string) func(*vectors.Message) {
	return func(m *vectors.Message) {
		sum := vectors.StyleOf(".ps1").Digest(crypto.SHA256, []byte(forgedContent))
		m.Content = vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.SIPInfo(version, guid)), vectors.DigestInfo(crypto.SHA256, sum))
	}
}

// asProgram: the data of a PE image is a bit string of flags, and a name.
func asProgram(m *vectors.Message) {
	sum := vectors.StyleOf(".ps1").Digest(crypto.SHA256, []byte(forgedContent))
	data := vectors.Seq(vectors.TLV(0x03, []byte{0}), vectors.Context(0, vectors.Context(2, vectors.TLV(0x80))))
	m.Content = vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDPEImageData), data), vectors.DigestInfo(crypto.SHA256, sum))
}

func fieldTooMany(m *vectors.Message) {
	m.Content = vectors.Seq(vectors.Body(m.Content), vectors.Null())
}

func byKeyID(m *vectors.Message) {
	m.Version, m.SignerVersion, m.SignerID = 3, 3, vectors.TLV(0x80, make([]byte, 20))
}

func stuffing(n int) []byte { return vectors.Attribute("1.2.3.4", vectors.Octets(make([]byte, n))) }

func deep(n int) []byte {
	b := vectors.Null()
	for range n {
		b = vectors.Seq(b)
	}
	return b
}

// twin is another certificate with the issuer and serial number of the leaf.
func twin(t *testing.T, f *scriptForger) *vectors.Identity {
	t.Helper()
	return vectors.Issue(t, f.now, "Forger", f.root, vectors.CodeSigning, func(c *x509.Certificate) { c.SerialNumber = f.leaf.Cert.SerialNumber })
}

func TestAdversarialBER(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	der := f.message(style, content).Build(t)
	for name, depth := range map[string]int{"61 indefinite length outside": 1, "61 indefinite length down to the content": 4, "61 indefinite length throughout": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack{name, style.Render(content, vectors.BER(der, depth)), "", verifier.Malformed, verifier.CheckStructure, "cms-structure"}.judge(t, v)
		})
	}
}

// TestAdversarialAlgorithms: digests and keys that are not good enough.
func TestAdversarialAlgorithms(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	strong, short := vectors.RSA(t, 2048), vectors.RSA(t, 1024)
	for name, c := range map[string]struct {
		key     crypto.Signer
		hash    crypto.Hash
		verdict verifier.Verdict
	}{
		"00 SHA-512 throughout": {strong, crypto.SHA512, verifier.Valid},
		"53 MD5 throughout":     {strong, crypto.MD5, verifier.Weak},
		"53 SHA-1 throughout":   {strong, crypto.SHA1, verifier.Weak},
		"79 RSA of 1024 bits":   {short, crypto.SHA256, verifier.Weak},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaf := vectors.IssueFor(t, f.now, "Leaf", f.root, c.key, vectors.CodeSigning)
			m := vectors.NewMessage(leaf, c.hash, style.IndirectData(c.hash, style.Digest(c.hash, content)))
			attack{name, style.Render(content, m.Build(t)), "", c.verdict, "", ""}.judge(t, v)
		})
	}
	t.Run("79 an authority of 1024 bits", func(t *testing.T) {
		t.Parallel()
		root := vectors.IssueFor(t, f.now, "Short root", nil, short)
		weak := &scriptForger{f.now, root, vectors.Issue(t, f.now, "Leaf", root, vectors.CodeSigning)}
		attack{"", weak.signed(t, ".ps1", content), "", verifier.Weak, verifier.CheckAlgorithms, ""}.judge(t, weak.verifier(t))
	})
	t.Run("80 explicit parameters of a curve", func(t *testing.T) {
		t.Parallel()
		m := f.message(style, content)
		m.Certificates = withExplicitCurve(t, f.leaf.Cert)
		attack{"", style.Render(content, m.Build(t)), "", verifier.Malformed, verifier.CheckStructure, "cms-structure"}.judge(t, v)
	})
	t.Run("62 a real RSA-PSS signature", func(t *testing.T) {
		t.Parallel()
		leaf := vectors.IssueFor(t, f.now, "Leaf", f.root, strong, vectors.CodeSigning)
		m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
		m.SignatureAlgorithm = vectors.Seq(vectors.OID(vectors.OIDPSS), vectors.Seq(
			vectors.Context(0, vectors.DigestAlgorithm(crypto.SHA256)),
			vectors.Context(1, vectors.Seq(vectors.OID("1.2.840.113549.1.1.8"), vectors.DigestAlgorithm(crypto.SHA256))),
			vectors.Context(2, vectors.Int(32))))
		m.Attributes = m.Standard()
		value, err := strong.Sign(rand.Reader, vectors.Sum(crypto.SHA256, vectors.Set(m.Attributes...)), &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		m.Value = value
		attack{"", style.Render(content, m.Build(t)), "", verifier.Unsupported, verifier.CheckSupported, ""}.judge(t, v)
	})
}

// withExplicitCurve writes the certificate with the numbers of its curve in
// place of the curve's name (CVE-2020-0601).
func withExplicitCurve(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	named := vectors.OID("1.2.840.10045.3.1.7")
	if bytes.Count(c.RawTBSCertificate, named) != 1 {
		t.Fatal("the certificate does not name its curve once")
	}
	var tbs asn1.RawValue
	if _, err := asn1.Unmarshal(c.RawTBSCertificate, &tbs); err != nil {
		t.Fatal(err)
	}
	explicit := vectors.Seq(vectors.Int(1),
		vectors.Seq(vectors.OID("1.2.840.10045.1.1"), vectors.BigInt(new(big.Int).Lsh(big.NewInt(1), 255))),
		vectors.Seq(vectors.Octets(make([]byte, 32)), vectors.Octets(make([]byte, 32))),
		vectors.Octets(make([]byte, 65)), vectors.BigInt(big.NewInt(7)), vectors.Int(1))
	spki := vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDECKey), explicit), vectors.TLV(0x03, []byte{0, 4}, make([]byte, 64)))
	body := bytes.Replace(tbs.Bytes, c.RawSubjectPublicKeyInfo, spki, 1)
	return vectors.Seq(vectors.Seq(body), vectors.Seq(vectors.OID(vectors.OIDECDSASHA256)), vectors.TLV(0x03, []byte{0}, c.Signature))
}

// TestAdversarialCertificates: who may sign, and how that is known.
func TestAdversarialCertificates(t *testing.T) {
	t.Parallel()
	now := testenv.VectorTime()
	root := vectors.Issue(t, now, "Root", nil)
	for name, c := range map[string]struct {
		root, between, leaf []vectors.Edit
		verdict             verifier.Verdict
		check               verifier.CheckID
	}{
		"00 a chain of three":                  {nil, []vectors.Edit{}, nil, verifier.Valid, ""},
		"64 for servers only":                  {nil, nil, []vectors.Edit{vectors.ServerAuth}, verifier.WrongPurpose, verifier.CheckKeyUsage},
		"65 for no stated purpose":             {nil, nil, []vectors.Edit{func(c *x509.Certificate) { c.ExtKeyUsage = nil }}, verifier.WrongPurpose, verifier.CheckKeyUsage},
		"65 for any purpose":                   {nil, nil, []vectors.Edit{func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }}, verifier.WrongPurpose, verifier.CheckKeyUsage},
		"66 not for signatures":                {nil, nil, []vectors.Edit{func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }}, verifier.WrongPurpose, verifier.CheckKeyUsage},
		"67 expired":                           {nil, nil, []vectors.Edit{vectors.Valid(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0))}, verifier.Expired, verifier.CheckValidity},
		"67 not yet valid":                     {nil, nil, []vectors.Edit{vectors.Valid(now.AddDate(0, 0, 1), now.AddDate(1, 0, 0))}, verifier.Expired, verifier.CheckValidity},
		"67 expired between":                   {nil, []vectors.Edit{vectors.Valid(now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0))}, nil, verifier.Expired, verifier.CheckValidity},
		"77 for names that are not the leaf's": {nil, []vectors.Edit{onlyOrganisation(false)}, nil, verifier.Untrusted, verifier.CheckTrust},
		"77 too long":                          {[]vectors.Edit{func(c *x509.Certificate) { c.MaxPathLenZero = true }}, []vectors.Edit{}, nil, verifier.Untrusted, verifier.CheckTrust},
		"77 through one that is no authority":  {nil, []vectors.Edit{vectors.CodeSigning}, nil, verifier.Untrusted, verifier.CheckTrust},
		"78 through one for servers":           {nil, []vectors.Edit{func(c *x509.Certificate) { c.ExtKeyUsage = serverAuthOnly() }}, nil, verifier.WrongPurpose, verifier.CheckKeyUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := root
			if c.root != nil {
				root = vectors.Issue(t, now, "Root", nil, c.root...)
			}
			issuer, bag := root, []*vectors.Identity{}
			if c.between != nil {
				issuer = vectors.Issue(t, now, "Between", root, c.between...)
				bag = append(bag, issuer)
			}
			leaf := vectors.Issue(t, now, "Leaf", issuer, append([]vectors.Edit{vectors.CodeSigning}, c.leaf...)...)
			style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
			m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)), bag...)
			attack{name, style.Render(content, m.Build(t)), "", c.verdict, c.check, ""}.judge(t, newVerifier(t, now, root.PEM()))
		})
	}
}

// TestAdversarialRootsInTheBag: what comes with a signature is never an anchor.
func TestAdversarialRootsInTheBag(t *testing.T) {
	t.Parallel()
	f, stranger := newScriptForger(t), newScriptForger(t)
	v := f.verifier(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	// Its names are those of the trusted root.
	impostor := vectors.Issue(t, f.now, "Forger's root", nil, func(c *x509.Certificate) {
		c.SerialNumber, c.SubjectKeyId = f.root.Cert.SerialNumber, f.root.Cert.SubjectKeyId
	})
	below := vectors.Issue(t, f.now, "Forger", impostor, vectors.CodeSigning)
	lonely := vectors.Issue(t, f.now, "Lonely", nil, vectors.CodeSigning)
	authority := vectors.Issue(t, f.now, "Lonely authority", nil, func(c *x509.Certificate) {
		c.KeyUsage |= x509.KeyUsageDigitalSignature
		c.ExtKeyUsage, c.Subject = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, pkix.Name{CommonName: "Forger's root"}
	})
	for name, chain := range map[string][]*vectors.Identity{
		"77 a root nobody trusts":           {stranger.leaf, stranger.root},
		"77 a root with the name of ours":   {below, impostor},
		"77 that root beside ours":          {below, impostor, f.root},
		"77 a leaf that signed itself":      {lonely},
		"77 a leaf that is its own root":    {authority},
		"77 our leaf beside a stranger":     {f.leaf, stranger.root},
		"77 a stranger beside our own leaf": {stranger.leaf, f.leaf, f.root},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := vectors.NewMessage(chain[0], crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)), chain[1:]...)
			attack{name, style.Render(content, m.Build(t)), "", verifier.Untrusted, verifier.CheckTrust, ""}.judge(t, v)
		})
	}
}

// TestAdversarialSizes: what is large is refused, and quickly.
func TestAdversarialSizes(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	oneLine := style
	oneLine.Width = 1 << 30
	for name, file := range map[string][]byte{
		"85 8 MiB of base64 on one line":    oneLine.Render(content, make([]byte, 6<<20)),
		"85 8 MiB of base64 in its lines":   style.Render(content, make([]byte, 6<<20)),
		"85 a line of 8 MiB in the block":   slices.Concat(content, []byte("\r\n"+style.Begin+"\r\n# "), bytes.Repeat([]byte("A"), 8<<20)),
		"85 8 MiB of blank comment lines":   append(style.Render(content, nil), bytes.Repeat([]byte("# \r\n"), 2<<20)...),
		"85 a million begin markers":        bytes.Repeat([]byte(style.Begin+"\r\n"), 250_000),
		"84 a signature of 300 KiB":         style.Render(content, make([]byte, 300<<10)),
		"84 256 KiB of nested BER":          style.Render(content, bytes.Repeat([]byte{0x30, 0x80}, 128<<10)),
		"84 a bag of certificates, 256 KiB": style.Render(content, certificateBomb(t, f)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if took := testenv.CPUTime(t, func() { attack{name, file, "", verifier.Malformed, "", ""}.judge(t, v) }); took > 30*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func certificateBomb(t *testing.T, f *scriptForger) []byte {
	t.Helper()
	m := f.message(vectors.StyleOf(".ps1"), []byte(forgedContent))
	m.Certificates = bytes.Repeat(m.Certificates, 250_000/len(m.Certificates))
	return m.Build(t)
}

// TestAdversarialChains: certificates of one name that could all have issued each
// other, with the keys that take longest.
func TestAdversarialChains(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	v := f.verifier(t)
	algorithm := vectors.Seq(vectors.OID("1.2.840.113549.1.1.11"), vectors.Null())
	name := f.root.Cert.RawSubject
	certificate := func(serial int64, spki []byte) []byte {
		return vectors.Seq(
			vectors.Seq(vectors.Context(0, vectors.Int(2)), vectors.Int(serial), algorithm, name,
				vectors.Seq(vectors.UTCTime(f.now.AddDate(-1, 0, 0)), vectors.UTCTime(f.now.AddDate(1, 0, 0))), name, spki,
				vectors.Context(3, vectors.Seq(
					vectors.Seq(vectors.OID("2.5.29.19"), vectors.TLV(1, []byte{0xFF}), vectors.Octets(vectors.Seq(vectors.TLV(1, []byte{0xFF})))),
					vectors.Seq(vectors.OID("2.5.29.37"), vectors.Octets(vectors.Seq(vectors.OID("1.3.6.1.5.5.7.3.3"))))))),
			algorithm, vectors.TLV(3, []byte{0, 1}, make([]byte, 1023)))
	}
	key := vectors.P256(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(certificate(1, spki))
	if err != nil {
		t.Fatal(err)
	}
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	m := vectors.NewMessage(&vectors.Identity{Cert: cert, Key: key}, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
	for name, c := range map[string]struct {
		exponent int64
		verdict  verifier.Verdict
		check    verifier.CheckID
	}{
		"84 a bag of issuers":                      {65537, verifier.Untrusted, verifier.CheckTrust},
		"84 a bag of issuers with large exponents": {1<<31 - 1, verifier.Unsupported, verifier.CheckSupported},
	} {
		t.Run(name, func(t *testing.T) {
			bag := *m
			for i := range int64(31) {
				modulus := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(2*i+1))
				bag.Certificates = append(bag.Certificates, certificate(i+2, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDRSA), vectors.Null()),
					vectors.TLV(3, []byte{0}, vectors.Seq(vectors.BigInt(modulus), vectors.Int(c.exponent)))))...)
			}
			whole := attack{"", style.Render(content, bag.Build(t)), "", c.verdict, c.check, ""}
			if took := testenv.CPUTime(t, func() { whole.judge(t, v) }); took > 60*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}
