package pgpcert_test

import (
	"bytes"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/pgpcert"
)

var (
	keyTime = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	now     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func entity(t testing.TB, name string) *openpgp.Entity {
	t.Helper()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: keyTime})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func binary(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := e.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func armored(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	data, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t testing.TB, files ...[]byte) *pgpcert.Ring {
	t.Helper()
	l := pgpcert.NewLoader()
	for _, f := range files {
		if err := l.Add("test", f); err != nil {
			t.Fatal(err)
		}
	}
	return l.Ring()
}

// signs makes a signature over "text" by the signing subkey of e, and returns
// what is found of it in ring.
func signs(t testing.TB, e *openpgp.Entity, ring *pgpcert.Ring) []*pgpcert.Key {
	t.Helper()
	return ring.Candidates(parse(t, signature(t, e.Subkeys[0].PrivateKey, nil)))
}

func signature(t testing.TB, key *packet.PrivateKey, edit func(*packet.Signature)) []byte {
	t.Helper()
	s := &packet.Signature{
		Version: key.Version, SigType: packet.SigTypeText, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: now, IssuerKeyId: &key.KeyId,
	}
	if edit != nil {
		edit(s)
	}
	h := s.Hash.New()
	h.Write([]byte("text"))
	if err := s.Sign(h, key, nil); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := s.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func parse(t testing.TB, data []byte) *pgpcert.Signature {
	t.Helper()
	p, rest, err := pgpcert.NextPacket(data)
	if err != nil || len(rest) > 0 || p.Tag != pgpcert.TagSignature {
		t.Fatalf("packet %d, %d bytes left, error %v", p.Tag, len(rest), err)
	}
	s, err := pgpcert.ParseSignature(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRingFindsTheKeyOfASignatureInEveryContainer(t *testing.T) {
	t.Parallel()
	a, b := entity(t, "A"), entity(t, "B")
	trustPacket := []byte{0xb0, 6, 'g', 'p', 'g', 0, 1, 2} // ring trust, as in a keybox
	for name, file := range map[string][]byte{
		"armored, two blocks, notes around": []byte("Our signers\n" + string(armored(t, a)) + "\nand\n" + string(armored(t, b))),
		"armored, two certificates":         cleartext.Armor("PGP PUBLIC KEY BLOCK", append(binary(t, a), binary(t, b)...)),
		"binary":                            append(binary(t, a), binary(t, b)...),
		"with ring-trust packets":           slices.Concat(binary(t, a), trustPacket, binary(t, b), trustPacket),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := load(t, file)
			if n := len(ring.Certificates()); n != 2 {
				t.Fatalf("%d certificates, notes %v", n, ring.Notes())
			}
			for _, e := range []*openpgp.Entity{a, b} {
				keys := signs(t, e, ring)
				if len(keys) != 1 || !keys[0].Judge(now).OK() {
					t.Fatalf("keys %v", keys)
				}
				s := parse(t, signature(t, e.Subkeys[0].PrivateKey, nil))
				h, err := s.NewHash()
				if err != nil {
					t.Fatal(err)
				}
				h.Write([]byte("text"))
				if p := keys[0].Verify(s, h); !p.Valid || !p.TagMatches {
					t.Errorf("proof %+v", p)
				}
			}
		})
	}
}

func TestLoaderRefusesFilesThatAreNoTrust(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	secret, err := newkeys.ArmoredSecret(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	var secretBinary bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&secretBinary, nil); err != nil {
		t.Fatal(err)
	}
	_, subkeys, err := pgpcert.NextPacket(secretBinary.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	primary := secretBinary.Bytes()[:secretBinary.Len()-len(subkeys)]
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"a secret primary key alone":                {primary, pgpcert.ErrSecretKey},
		"an armored secret key":                     {secret, pgpcert.ErrSecretKey},
		"a binary secret key":                       {secretBinary.Bytes(), pgpcert.ErrSecretKey},
		"a secret key behind a certificate":         {append(binary(t, e), secretBinary.Bytes()...), pgpcert.ErrSecretKey},
		"a secret key behind an armored block":      {append(armored(t, e), secret...), pgpcert.ErrSecretKey},
		"GnuPG's key database":                      {[]byte("SQLite format 3\x00 and pages"), pgpcert.ErrKeyDatabase},
		"plain text":                                {[]byte("hello\n"), pgpcert.ErrNoCertificate},
		"a certificate that is cut off":             {binary(t, e)[:40], pgpcert.ErrNoCertificate},
		"a signature alone":                         {signature(t, e.Subkeys[0].PrivateKey, nil), pgpcert.ErrNoCertificate},
		"packets that are no certificate":           {[]byte{0xcb, 3, 't', 0, 0}, pgpcert.ErrNoCertificate},
		"a certificate with a message packet in it": {append(binary(t, e), 0xcb, 3, 't', 0, 0), pgpcert.ErrNoCertificate},
	} {
		if err := pgpcert.NewLoader().Add("test", c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestLoaderNotesABadCertificateAndKeepsTheGoodOnes(t *testing.T) {
	t.Parallel()
	good, bad := entity(t, "Good"), entity(t, "Bad")
	ring := load(t, slices.Concat(armored(t, good), cleartext.Armor("PGP PUBLIC KEY BLOCK", append(binary(t, bad), 0xcb, 3, 't', 0, 0))))
	if len(ring.Certificates()) != 1 || len(ring.Notes()) != 1 {
		t.Fatalf("certificates %v, notes %v", ring.Certificates(), ring.Notes())
	}
	if keys := signs(t, bad, ring); len(keys) != 0 {
		t.Error("the bad certificate is used")
	}
	s := parse(t, signature(t, bad.PrivateKey, nil))
	if notes := ring.Unusable(s); len(notes) != 1 || !strings.Contains(notes[0].String(), "certificate 1") {
		t.Errorf("notes %v", notes)
	}
}

func TestLoaderNotesABrokenArmoredBlockAndReadsTheNext(t *testing.T) {
	t.Parallel()
	good, bad := entity(t, "Good"), entity(t, "Bad")
	block := string(armored(t, bad))
	end := strings.Index(block, "\n-----END")
	for name, broken := range map[string]string{
		"a wrong checksum":     block[:end-1] + string(block[end-1]^1) + block[end:],
		"not base64":           block[:200] + "!" + block[201:],
		"cut off":              block[:end-100] + "\n",
		"without its end":      block[:end] + "\n",
		"another label at end": strings.Replace(block, "END PGP PUBLIC", "END PGP MESSAGE", 1),
		"no blank line":        strings.Replace(block, "\n\n", "\n", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := load(t, []byte(broken+string(armored(t, good))))
			if len(ring.Certificates()) != 1 || len(signs(t, good, ring)) != 1 || len(ring.LeftOut()) != 1 || !strings.Contains(ring.LeftOut()[0].String(), "block at line 1") {
				t.Fatalf("certificates %v, notes %v", ring.Certificates(), ring.Notes())
			}
			if notes := ring.Unusable(parse(t, signature(t, bad.Subkeys[0].PrivateKey, nil))); len(notes) != 1 {
				t.Errorf("where the signer is missed: %v", notes)
			}
			// What is broken could be the copy with the revocation.
			ring = load(t, []byte(broken+string(armored(t, good))), binary(t, bad))
			if readable := name != "no blank line"; (len(signs(t, bad, ring)) == 0) != readable {
				t.Error("the other copy of the certificate that is broken")
			}
		})
	}
}

func TestLoaderReadsWhatEditorsAndShellsMakeOfAFile(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	if len(load(t, slices.Concat([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(armored(t, e), []byte("\n"), []byte("\r\n")))).Certificates()) != 1 {
		t.Error("a byte order mark and CRLF")
	}
	wide := []byte("\xff\xfe")
	for _, c := range armored(t, e) {
		wide = append(wide, c, 0)
	}
	if err := pgpcert.NewLoader().Add("test", wide); !errors.Is(err, pgpcert.ErrNoCertificate) || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
	if err := pgpcert.NewLoader().Add("test", slices.Concat([]byte("junk"), binary(t, e))); !errors.Is(err, pgpcert.ErrNoCertificate) || !strings.Contains(err.Error(), "does not begin with a packet") {
		t.Errorf("a binary ring behind junk: %v", err)
	}
}

func TestARevocationInAnyCopyCounts(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	before := binary(t, e)
	if err := e.Revoke(packet.KeySuperseded, "", &packet.Config{Time: func() time.Time { return keyTime.AddDate(1, 0, 0) }}); err != nil {
		t.Fatal(err)
	}
	after := binary(t, e)
	for name, files := range map[string][][]byte{
		"behind":      {before, after},
		"before":      {after, before},
		"in one file": {append(bytes.Clone(after), before...)},
	} {
		keys := signs(t, e, load(t, files...))
		if len(keys) != 1 || keys[0].Judge(now).Revocation == "" {
			t.Errorf("%s: the certificate is not revoked", name)
		}
	}
}

// Files that are joined put a revocation behind another certificate, or binary
// packets where armored text is read.
func TestARevocationIsNotLostWhereFilesAreJoined(t *testing.T) {
	t.Parallel()
	e, other := entity(t, "A"), entity(t, "B")
	by := e.PrivateKey
	s := &packet.Signature{
		Version: 4, SigType: packet.SigTypeKeyRevocation, PubKeyAlgo: by.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: keyTime, IssuerKeyId: &by.KeyId,
	}
	var buf bytes.Buffer
	if err := errors.Join(s.RevokeKey(e.PrimaryKey, by, nil), s.Serialize(&buf)); err != nil {
		t.Fatal(err)
	}
	a, b, revocation := binary(t, e), binary(t, other), buf.Bytes()
	forged := bytes.Clone(revocation)
	forged[len(forged)-1] ^= 1
	md5 := bytes.Clone(revocation)
	md5[2+3] = 1                                                                                                                                  // behind the header
	asSignature := bytes.ReplaceAll(cleartext.Armor("PGP PUBLIC KEY BLOCK", revocation), []byte("PGP PUBLIC KEY BLOCK"), []byte("PGP SIGNATURE")) // as Sequoia does
	for name, c := range map[string]struct {
		file    []byte
		revoked bool
	}{
		"behind its own":                 {slices.Concat(b, a, revocation), true},
		"behind another":                 {slices.Concat(a, b, revocation), true},
		"behind another, before its own": {slices.Concat(b, revocation, a), true},
		"armored as a signature":         {slices.Concat(cleartext.Armor("PGP PUBLIC KEY BLOCK", slices.Concat(a, b)), asSignature), true},
		"behind another, armored":        {slices.Concat(cleartext.Armor("PGP PUBLIC KEY BLOCK", slices.Concat(b, revocation)), cleartext.Armor("PGP PUBLIC KEY BLOCK", a)), true},
		"one that is forged":             {slices.Concat(a, b, forged), false},
		"one that nobody can check":      {slices.Concat(a, b, md5), false},
		"none":                           {slices.Concat(a, b), false},
	} {
		ring := load(t, c.file)
		keys, others := signs(t, e, ring), signs(t, other, ring)
		if len(keys) != 1 || len(others) != 1 || (keys[0].Judge(now).Revocation != "") != c.revoked || others[0].Judge(now).Revocation != "" {
			t.Errorf("%s: %v and %v, notes %v", name, keys, others, ring.Notes())
		}
	}
	for name, file := range map[string][]byte{
		"binary behind armor":             slices.Concat(cleartext.Armor("PGP PUBLIC KEY BLOCK", a), revocation),
		"armor behind binary":             slices.Concat(a, b, cleartext.Armor("PGP PUBLIC KEY BLOCK", revocation)),
		"armor behind binary and a blank": slices.Concat(a, b, []byte("\n"), cleartext.Armor("PGP PUBLIC KEY BLOCK", revocation)),
		"armor behind one certificate":    slices.Concat(a, cleartext.Armor("PGP PUBLIC KEY BLOCK", revocation)),
	} {
		if err := pgpcert.NewLoader().Add(name, file); !errors.Is(err, pgpcert.ErrMixed) {
			t.Errorf("%s: %v, want ErrMixed", name, err)
		}
	}
}

func TestASubkeyThatStandsTwiceIsRevokedIfOneOfThemIs(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	plain := binary(t, e)
	if err := e.Subkeys[0].Revoke(packet.KeyCompromised, "", nil); err != nil {
		t.Fatal(err)
	}
	revoked := binary(t, e)
	// The subkey and its binding, once more behind the revoked one.
	var again []byte
	for rest := plain; len(rest) > 0; {
		p, next, err := pgpcert.NextPacket(rest)
		if err != nil {
			t.Fatal(err)
		}
		if p.Tag == pgpcert.TagPublicSubkey {
			again = rest
			break
		}
		rest = next
	}
	keys := signs(t, e, load(t, append(revoked, again...)))
	if len(keys) != 1 || keys[0].Judge(now).Revocation == "" {
		t.Errorf("%d keys, not all revoked", len(keys))
	}
}

func TestWhatCouldNotBeReadIsToldWhereASignerIsMissed(t *testing.T) {
	t.Parallel()
	first, lost := entity(t, "first"), entity(t, "lost")
	cut := append(binary(t, entity(t, "cut")), 0xc2, 0xff, 0xff, 0xff, 0xff, 0xff) // a signature packet of 4 GiB
	ring := load(t, slices.Concat(binary(t, first), cut, binary(t, lost)))
	s := parse(t, signature(t, lost.Subkeys[0].PrivateKey, nil))
	notes := ring.Unusable(s)
	if len(ring.Candidates(s)) != 0 || len(notes) != 1 || !notes[0].Unread || !strings.Contains(notes[0].String(), "what follows is not read") {
		t.Errorf("notes %v", notes)
	}
	if len(signs(t, first, ring)) != 1 {
		t.Error("the certificate before it is not used")
	}
}

func TestACertificateThatIsBrokenInOneCopyIsNotUsed(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	cut := binary(t, e)
	ring := load(t, binary(t, e), append(binary(t, entity(t, "B")), cut[:len(cut)-3]...))
	if keys := signs(t, e, ring); len(keys) != 0 {
		t.Error("the certificate is used, although its other copy is cut off where a revocation may have been")
	}
}

// TestASubkeyCannotBeAdopted: who binds another's signing subkey to a
// certificate of his own has no back-signature by it.
func TestASubkeyCannotBeAdopted(t *testing.T) {
	t.Parallel()
	victim, thief := entity(t, "Victim"), entity(t, "Thief")
	stolen := victim.Subkeys[0].PublicKey
	binding := &packet.Signature{
		Version: 4, SigType: packet.SigTypeSubkeyBinding, PubKeyAlgo: thief.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: keyTime, IssuerKeyId: &thief.PrimaryKey.KeyId, FlagsValid: true, FlagSign: true,
	}
	if err := binding.SignKey(stolen, thief.PrivateKey, nil); err != nil {
		t.Fatal(err)
	}
	var adopted bytes.Buffer
	if err := stolen.Serialize(&adopted); err != nil {
		t.Fatal(err)
	}
	if err := binding.Serialize(&adopted); err != nil {
		t.Fatal(err)
	}
	ring := load(t, append(binary(t, thief), adopted.Bytes()...), binary(t, victim))
	keys := signs(t, victim, ring)
	if len(keys) != 2 {
		t.Fatalf("%d candidates, want both", len(keys))
	}
	for _, k := range keys {
		j := k.Judge(now)
		isVictim := k.Certificate().Name == "Victim"
		if j.OK() != isVictim || !isVictim && j.KeyUsage == "" {
			t.Errorf("%s: %+v", k.Certificate().Name, j)
		}
	}
	if len(signs(t, victim, load(t, append(binary(t, thief), adopted.Bytes()...)))) != 1 {
		t.Error("the stolen key is not a candidate at all")
	}
}

func TestASubkeyThatNobodyBoundIsNotTrusted(t *testing.T) {
	t.Parallel()
	a, b := entity(t, "A"), entity(t, "B")
	var loose bytes.Buffer
	if err := b.Subkeys[0].PublicKey.Serialize(&loose); err != nil {
		t.Fatal(err)
	}
	keys := signs(t, b, load(t, append(binary(t, a), loose.Bytes()...)))
	if len(keys) != 1 || keys[0].Judge(now).Trust == "" {
		t.Error("a subkey without a binding is trusted")
	}
}

func TestKeysAreJudgedAtTheGivenTime(t *testing.T) {
	t.Parallel()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "A", Created: keyTime, Lifetime: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	key := signs(t, e, load(t, binary(t, e)))[0]
	for at, want := range map[time.Time]string{
		keyTime.Add(-pgpcert.MaxSkew - time.Second): "future",
		keyTime.Add(-pgpcert.MaxSkew + time.Second): "",
		keyTime:                                 "",
		keyTime.Add(24*time.Hour - time.Second): "",
		keyTime.Add(24 * time.Hour):             "expired",
		keyTime.AddDate(10, 0, 0):               "expired",
	} {
		if got := key.Judge(at).Validity; want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("at %s: %q, want %q", at, got, want)
		}
	}
}

func TestParseSignatureRefusesWhatIsNotMadeRight(t *testing.T) {
	t.Parallel()
	e := entity(t, "A")
	p, _, err := pgpcert.NextPacket(signature(t, e.Subkeys[0].PrivateKey, nil))
	if err != nil {
		t.Fatal(err)
	}
	var format *pgpcert.FormatError
	for n := range p.Body {
		if _, err := pgpcert.ParseSignature(p.Body[:n]); !errors.As(err, &format) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := pgpcert.ParseSignature(append(bytes.Clone(p.Body), 0)); !errors.As(err, &format) {
		t.Errorf("with a byte behind it: %v", err)
	}
	flood := append([]byte{4, 1, 22, 10, 1, 0}, bytes.Repeat([]byte{1, 99}, 128)...)
	flood = append(flood, 2, 99, 0, 0, 0, 0, 0)
	if _, err := pgpcert.ParseSignature(flood); !errors.As(err, &format) {
		t.Errorf("a flood of subpackets: %v", err)
	}
}

func TestSignaturesOfOddFormsAreRefused(t *testing.T) {
	t.Parallel()
	key := entity(t, "A").Subkeys[0].PrivateKey
	if msg := parse(t, signature(t, key, nil)).JudgeForm(); msg != "" {
		t.Error(msg)
	}
	other := entity(t, "B").PrimaryKey.KeyId
	lifetime := uint32(60)
	for name, c := range map[string]struct {
		edit func(*packet.Signature)
		want string
	}{
		"a critical notation": {func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.test", Value: []byte("y"), IsCritical: true}}
		}, "critical notation"},
		"another key's ID beside the fingerprint": {func(s *packet.Signature) { s.IssuerKeyId = &other }, "two different keys"},
	} {
		if msg := parse(t, signature(t, key, c.edit)).JudgeForm(); !strings.Contains(msg, c.want) {
			t.Errorf("%s: %q", name, msg)
		}
	}
	s := parse(t, signature(t, key, func(s *packet.Signature) { s.SigLifetimeSecs = &lifetime }))
	k := keyOf(t, key)
	if k.JudgeTime(s, now) != "" || k.JudgeTime(s, now.Add(time.Minute)) == "" {
		t.Error("the lifetime of a signature is not kept")
	}
	if k.JudgeTime(s, now.Add(-time.Hour)) == "" {
		t.Error("a signature from the future is in its time")
	}
	old := parse(t, signature(t, key, func(s *packet.Signature) { s.CreationTime = keyTime.Add(-time.Second) }))
	if k.JudgeTime(old, now) == "" {
		t.Error("a signature older than its key is in its time")
	}
}

// keyOf returns a key to judge times by.
func keyOf(t *testing.T, _ *packet.PrivateKey) *pgpcert.Key {
	t.Helper()
	e := entity(t, "C")
	return signs(t, e, load(t, binary(t, e)))[0]
}

func addRings(f *testing.F) {
	e := entity(f, "A")
	f.Add(binary(f, e))
	block := armored(f, e)
	f.Add(block)
	f.Add(slices.Concat([]byte("\xef\xbb\xbf"), block[:len(block)/2], block)) // a broken block, then a good one
	f.Add(slices.Concat(block, []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n????\n")))
	f.Add(slices.Concat(binary(f, e), []byte{0x9b, 9, 0x10, 0xd0, 0xcf}))                                                             // junk behind a certificate
	f.Add(slices.Concat(rawPacket(2, []byte{4, 0x20, 22, 10, 0, 0, 0, 10, 9, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}), binary(f, e))) // one before the certificate
	f.Add(slices.Concat(binary(f, e), rawPacket(2, []byte{4, 0x28, 22, 10, 0, 0, 0, 10, 9, 16, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}))) // a revocation by another key
	f.Add(slices.Concat(binary(f, e), rawPacket(2, []byte{4, 0x1f, 22, 10, 0, 24, 23, 12, 0x80, 22, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0, 0, 0, 0})))
	shared, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", "openpgp", "k*", "*"))
	for _, name := range shared {
		if data, err := os.ReadFile(name); err == nil && len(data) < 16<<10 {
			f.Add(data)
		}
	}
}

// FuzzRing: no trust file makes the loader panic or hang, and no certificate
// that it gives out breaks the judge.
func FuzzRing(f *testing.F) {
	addRings(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		l := pgpcert.NewLoader()
		err := l.Add("fuzz", data)
		ring := l.Ring()
		if errors.Is(err, pgpcert.ErrNoCertificate) && len(ring.Certificates()) > 0 {
			t.Fatal("certificates beside the error")
		}
		for _, c := range ring.Certificates() {
			for _, k := range c.Keys() {
				k.JudgeBy(pgpcert.Rules{Now: now, Signed: keyTime, AcceptSHA1: true})
				// To judge at a time that lies ahead lifts nothing.
				if ahead := (pgpcert.Rules{Now: now, Signed: now.AddDate(1, 0, 0)}); k.JudgeBy(ahead) != k.Judge(now) {
					t.Fatal("a date in the future makes a difference")
				}
			}
			c.Foreign()
		}
		ring.Notes()
	})
}

// FuzzSignature: no signature packet makes the parser or the mathematics panic.
func FuzzSignature(f *testing.F) {
	e := entity(f, "A")
	ring := load(f, binary(f, e))
	f.Add(signature(f, e.Subkeys[0].PrivateKey, nil)[2:])
	claiming, _, err := pgpcert.NextPacket(signature(f, e.Subkeys[0].PrivateKey, func(s *packet.Signature) {
		for _, n := range []string{"a", "b", ""} {
			s.Notations = append(s.Notations, &packet.Notation{Name: n + "@example.test", Value: []byte(n), IsHumanReadable: n != ""})
		}
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(claiming.Body)
	shared, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "vectors", "openpgp", "cases", "*.asc"))
	for _, name := range shared {
		for _, body := range signatureBodies(name) {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := pgpcert.ParseSignature(body)
		if err != nil {
			return
		}
		s.JudgeForm()
		if notations, err := s.Notations("example.test"); err == nil {
			for _, n := range notations {
				if !utf8.ValidString(n.Text) {
					t.Errorf("a notation of %q", n.Text)
				}
			}
		} else if notations != nil {
			t.Error("notations beside the error")
		}
		_, _ = s.Issuer(), s.HashName()
		ring.Candidates(s)
		for _, k := range ring.Certificates()[0].Keys() {
			if h, err := s.NewHash(); err == nil && k.Verify(s, h).Valid {
				t.Fatal("a signature over nothing verifies")
			}
		}
	})
}

// numbersOf is where the numbers of a signature begin whose body begins there. How long
// they are differs from one signature to the next.
func numbersOf(sig []byte, body int) int {
	at := body + 4 // version, type and two algorithms
	for range 2 {  // hashed and unhashed
		at += 2 + int(sig[at])<<8 + int(sig[at+1])
	}
	return at + 2 // the beginning of the digest
}

func TestRevocationsThatCannotBeIgnored(t *testing.T) {
	t.Parallel()
	e, other := entity(t, "A"), entity(t, "B")
	revocation := func(by *packet.PrivateKey) []byte {
		s := &packet.Signature{
			Version: 4, SigType: packet.SigTypeKeyRevocation, PubKeyAlgo: by.PubKeyAlgo, Hash: crypto.SHA512,
			CreationTime: keyTime, IssuerKeyId: &by.KeyId,
		}
		if err := s.RevokeKey(e.PrimaryKey, by, nil); err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := s.Serialize(&buf); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	head := func(sig []byte) int { // where the body begins
		p, _, err := pgpcert.NextPacket(sig)
		if err != nil {
			t.Fatal(err)
		}
		return len(sig) - len(p.Body)
	}
	own := revocation(e.PrivateKey)
	md5 := bytes.Clone(own)
	md5[head(md5)+3] = 1
	forged := bytes.Clone(own)
	forged[len(forged)-1] ^= 1
	broken := bytes.Clone(own)
	broken[numbersOf(broken, head(broken))] = 0xff // the length of the first number: more than there is
	for name, c := range map[string]struct {
		revocation      []byte
		revoked, usable bool
	}{
		"its own":                             {own, true, true},
		"its own, with a hash not checked":    {md5, true, true},
		"one that does not verify":            {forged, false, true},
		"by somebody else":                    {revocation(other.PrivateKey), false, true},
		"its own, in a form that is not read": {broken, true, false},
	} {
		// Behind the user ID and the subkey, where it does not belong.
		ring := load(t, append(binary(t, e), c.revocation...))
		keys := signs(t, e, ring)
		if (len(keys) == 1) != c.usable {
			t.Errorf("%s: %d keys, notes %v", name, len(keys), ring.Notes())
			continue
		}
		if c.usable && (keys[0].Judge(now).Revocation != "") != c.revoked {
			t.Errorf("%s: %+v", name, keys[0].Judge(now))
		}
	}
}
