package format_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/verifier"
)

// certificateAttacks are certificates made by hand; each case is judged by a
// signature of its subkey, or of its primary key where it has none.
type certificateAttack struct {
	name    string
	ring    []byte
	verdict verifier.Verdict
	reason  string // of a failed check
}

// TestClearsignAttacksOnTheSubkey: a subkey signs only if its certificate and it
// agree that it may, in that certificate, now.
func TestClearsignAttacksOnTheSubkey(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, sub, other := newForger(created), newForger(created), newForger(created)
	back := func(more ...[]byte) []byte {
		return f.back(forged{kind: 0x19, hashed: append([][]byte{at(2, created), sub.issuer()}, more...)}, sub)
	}
	bound := func(more ...[]byte) []byte {
		return f.binds(forged{kind: 0x18, hashed: append([][]byte{at(2, created), f.issuer()}, more...)}, sub)
	}
	revoked := func(more ...[]byte) []byte {
		return f.binds(forged{kind: 0x28, hashed: append([][]byte{at(2, created), f.issuer()}, more...)}, sub)
	}
	with := func(packets ...[]byte) []byte {
		return f.certificate(append([][]byte{sub.subkeyPacket()}, packets...)...)
	}
	good := bound(flags(2), back())
	unhashed := func(hashed [][]byte, more ...[]byte) []byte {
		return f.binds(forged{kind: 0x18, hashed: append([][]byte{at(2, created), f.issuer()}, hashed...), unhashed: more}, sub)
	}
	text := sub.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), sub.issuer()}})
	foreign := forgedPacket(2, sub.sign(forged{kind: 0x28, hashed: [][]byte{at(2, created), sub.issuer()}}, f.hashed(), sub.hashed())...)
	byOther := forgedPacket(2, other.sign(forged{kind: 0x28, hashed: [][]byte{at(2, created), other.issuer()}}, f.hashed(), sub.hashed())...)
	byNobody := forgedPacket(2, other.sign(forged{kind: 0x28, hashed: [][]byte{at(2, created), other.issuer()}}, []byte("another key"))...)
	revocable := func(packets ...[]byte) []byte {
		revoker := f.self(forged{kind: 0x1f, hashed: [][]byte{at(2, created), f.issuer(), subpacket(12, append([]byte{0x80, 22}, other.fingerprint()...)...)}}, "")
		return bytes.Replace(f.certificate(packets...), f.keyPacket(), append(f.keyPacket(), revoker...), 1)
	}
	future := clearsignTime.AddDate(1, 0, 0)
	for _, c := range []certificateAttack{
		{"a good one", with(good), verifier.Valid, ""},
		{"a back-signature that is not hashed proves itself", with(unhashed([][]byte{flags(2)}, back())), verifier.Valid, ""},
		{"no back-signature", with(bound(flags(2))), verifier.WrongPurpose, "not signed the primary key back"},
		{"a back-signature that expired", with(bound(flags(2), back(lasting(3, time.Hour)))), verifier.Expired, "not in its time"},
		{"a back-signature from the future", with(bound(flags(2), f.back(forged{kind: 0x19, hashed: [][]byte{at(2, future)}}, sub))), verifier.Expired, "not in its time"},
		{"a back-signature without a time", with(bound(flags(2), f.back(forged{kind: 0x19, hashed: [][]byte{sub.issuer()}}, sub))), verifier.WrongPurpose, "not signed the primary key back"},
		{"a back-signature with an unknown critical subpacket", with(bound(flags(2), back(subpacket(99|critical, 1)))), verifier.WrongPurpose, "not signed the primary key back"},
		{"a back-signature with SHA-1", with(bound(flags(2), f.back(forged{kind: 0x19, hash: 2, hashed: [][]byte{at(2, created)}}, sub))), verifier.Weak, "SHA1 only"},
		{"a back-signature of the type of a binding", with(bound(flags(2), f.back(forged{kind: 0x18, hashed: [][]byte{at(2, created)}}, sub))), verifier.WrongPurpose, "not signed the primary key back"},
		{"a binding with SHA-1", with(f.binds(forged{kind: 0x18, hash: 2, hashed: [][]byte{at(2, created), f.issuer(), flags(2), back()}}, sub)), verifier.Weak, "SHA1 only"},
		{"flags that are not hashed", with(unhashed([][]byte{back()}, flags(2))), verifier.WrongPurpose, "no key flags"},
		{"empty flags", with(bound(subpacket(27), back())), verifier.WrongPurpose, "not allowed"},
		{"flags twice", with(bound(flags(0), flags(2), back())), verifier.Untrusted, "not bound"},
		{"a binding with an unknown critical subpacket", with(bound(flags(2), back(), subpacket(99|critical, 1))), verifier.Untrusted, "not bound"},
		{"an expired subkey", with(bound(flags(2), back(), lasting(9, time.Hour))), verifier.Expired, "the subkey expired"},
		{"an expired binding", with(bound(flags(2), back(), lasting(3, time.Hour))), verifier.Expired, "no binding"},
		{"a retired subkey", with(good, revoked(subpacket(29, 3))), verifier.Revoked, "subkey"},
		{"a revocation that is older than the binding", with(revoked(), good), verifier.Revoked, "subkey"},
		{"a revocation with an unknown critical subpacket", with(good, revoked(subpacket(99|critical, 1))), verifier.Revoked, "subkey"},
		{"a revocation behind the primary key", bytes.Replace(with(good), f.keyPacket(), append(f.keyPacket(), revoked()...), 1), verifier.Revoked, "subkey"},
		{"a revocation behind the user ID", f.certificate(revoked(), sub.subkeyPacket(), good), verifier.Revoked, "subkey"},
		{"a revocation behind another subkey", with(good, other.subkeyPacket(), revoked()), verifier.Revoked, "subkey"},
		{"a revocation of another subkey", with(good, other.subkeyPacket(), f.binds(forged{kind: 0x28, hashed: [][]byte{at(2, created), f.issuer()}}, other)), verifier.Valid, ""},
		{"a revocation by the subkey itself", with(good, foreign), verifier.Valid, ""},
		{"a revocation by a designated revoker", revocable(sub.subkeyPacket(), good, byOther), verifier.Revoked, "the subkey is revoked by a designated revoker"},
		{"a revocation by a designated revoker behind another subkey", revocable(sub.subkeyPacket(), good, other.subkeyPacket(), byOther), verifier.Valid, ""},
		{"a revocation by a designated revoker behind no subkey", revocable(byOther, sub.subkeyPacket(), good), verifier.Revoked, "the subkey is revoked by a designated revoker"},
		{"a revocation by a designated revoker, which is not proved", revocable(sub.subkeyPacket(), good, byNobody), verifier.Revoked, "the subkey is revoked by a designated revoker"},
		{"a revocation by anybody", with(good, byOther), verifier.Valid, ""},
		{"a primary key without self-signature", bytes.Join([][]byte{f.keyPacket(), sub.subkeyPacket(), good}, nil), verifier.Untrusted, "no good self-signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.judge(t, text)
		})
	}
}

// TestClearsignAttacksOnTheCertificate: what the primary key says of itself, of
// which only what is hashed, strong and in its time may grant anything, and
// anything may take away.
func TestClearsignAttacksOnTheCertificate(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	later, future := created.Add(time.Hour), clearsignTime.AddDate(1, 0, 0)
	f, other := newForger(created), newForger(created)
	id := func(more ...[]byte) []byte {
		return append(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hashed: append([][]byte{at(2, created), f.issuer(), flags(3)}, more...)}, "a")...)
	}
	self := func(kind byte, when time.Time, userID string, more ...[]byte) []byte {
		return f.self(forged{kind: kind, hashed: append([][]byte{at(2, when), f.issuer()}, more...)}, userID)
	}
	key := func(packets ...[]byte) []byte { return bytes.Join(append([][]byte{f.keyPacket()}, packets...), nil) }
	revoker := subpacket(12, append([]byte{0x80, 22}, other.fingerprint()...)...)
	byRevoker := forgedPacket(2, other.sign(forged{kind: 0x20, hashed: [][]byte{at(2, later), other.issuer()}}, f.hashed())...)
	picture := []byte{22, 1, 0x10, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff}
	ofPicture := forgedPacket(2, f.sign(forged{kind: 0x13, hashed: [][]byte{at(2, later), f.issuer(), flags(3)}},
		f.hashed(), []byte{0xd1, 0, 0, 0, byte(len(picture))}, picture)...)
	text := f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer()}})
	for _, c := range []certificateAttack{
		{"a good one", key(id()), verifier.Valid, ""},
		{"no self-signature", key(forgedPacket(13, 'a')), verifier.Untrusted, "no good self-signature"},
		{"a self-signature with SHA-1", key(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hash: 2, hashed: [][]byte{at(2, created), f.issuer(), flags(3)}}, "a")), verifier.Weak, "SHA1"},
		{"a self-signature from the future", key(forgedPacket(13, 'a'), self(0x13, future, "a", flags(3))), verifier.Expired, "in its time"},
		{"a self-signature that is older than the key", key(forgedPacket(13, 'a'), self(0x13, created.Add(-time.Hour), "a", flags(3))), verifier.Expired, "in its time"},
		{"flags that are not hashed", key(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hashed: [][]byte{at(2, created), f.issuer()}, unhashed: [][]byte{flags(3)}}, "a")), verifier.WrongPurpose, "no key flags"},
		{"an expiry in the direct-key signature alone", key(self(0x1f, created, "", lasting(9, time.Hour)), id()), verifier.Expired, "expired"},
		{"an expiry in the user ID's signature alone", key(self(0x1f, later, "", flags(3)), id(lasting(9, time.Hour))), verifier.Expired, "expired"},
		{"a newer self-signature without the flag", key(id(), self(0x13, later, "a", flags(1))), verifier.WrongPurpose, "not allowed"},
		{"a revocation with SHA-1", key(f.self(forged{kind: 0x20, hash: 2, hashed: [][]byte{at(2, later), f.issuer()}}, ""), id()), verifier.Revoked, "revoked"},
		{"a revocation that expired", key(self(0x20, later, "", lasting(3, time.Second)), id()), verifier.Revoked, "revoked"},
		{"a revocation without a time", key(f.self(forged{kind: 0x20, hashed: [][]byte{f.issuer()}}, ""), id()), verifier.Revoked, "revoked"},
		{"a revocation from the future", key(self(0x20, future, ""), id()), verifier.Revoked, "revoked"},
		{"a superseded key", key(self(0x20, later, "", subpacket(29, 1)), id()), verifier.Revoked, "revoked"},
		{"a revocation behind the user ID", key(id(), self(0x20, later, "")), verifier.Revoked, "revoked"},
		{"a revocation behind a picture", key(id(), forgedPacket(17, picture...), self(0x20, later, "")), verifier.Revoked, "revoked"},
		{"a revocation by a designated revoker", key(self(0x1f, created, "", revoker), byRevoker, id()), verifier.Revoked, "designated"},
		{"a revocation by a designated revoker behind the user ID", key(self(0x1f, created, "", revoker), id(), byRevoker), verifier.Revoked, "designated"},
		{"a designated revoker that was named with SHA-1", key(f.self(forged{kind: 0x1f, hash: 2, hashed: [][]byte{at(2, created), f.issuer(), revoker}}, ""), byRevoker, id()), verifier.Revoked, "designated"},
		{"a revocation by anybody", key(byRevoker, id()), verifier.Valid, ""},
		{"a revoked user ID", key(id(), self(0x30, later, "a")), verifier.Revoked, "every user ID"},
		{"a revoked user ID beside a picture", key(id(), self(0x30, later, "a"), forgedPacket(17, picture...), ofPicture), verifier.Revoked, "every user ID"},
		{"a user ID that was certified again", key(id(), self(0x30, later, "a"), self(0x13, later.Add(time.Hour), "a", flags(3))), verifier.Valid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.judge(t, text)
		})
	}
}

func (c certificateAttack) judge(t *testing.T, text []byte) {
	t.Helper()
	report, payload := clearsignVerdict(t, forgedVerifier(t, c.ring), "a.sh.asc", documentOf(t, "echo a\n", text))
	if report.Verdict != c.verdict || (payload != nil) != (c.verdict == verifier.Valid) {
		t.Fatalf("%s, want %s: %+v", report.Verdict, c.verdict, report.Signatures)
	}
	for _, check := range report.Signatures[0].Checks {
		if check.Status == verifier.StatusFailed && strings.Contains(check.Detail, c.reason) {
			return
		}
	}
	if c.reason != "" {
		t.Errorf("no failed check says %q: %+v", c.reason, report.Signatures[0].Checks)
	}
}

// Anybody can make a revocation and put it into a certificate on its way: it is
// told of, and changes nothing.
func TestClearsignTellsOfRevocationsThatDoNotCount(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, other := newForger(created), newForger(created)
	byOther := func(kind byte, more ...[]byte) []byte {
		return forgedPacket(2, other.sign(forged{kind: kind, hashed: append([][]byte{at(2, created)}, more...)}, f.hashed())...)
	}
	for name, c := range map[string]struct {
		packet []byte
		words  string // "" for none
	}{
		"of the certificate":     {byOther(0x20, other.issuer()), fmt.Sprintf("a revocation of the certificate by the key %X", other.fingerprint())},
		"of a subkey":            {byOther(0x28, other.keyID()), fmt.Sprintf("a revocation of a subkey by the key %X", other.fingerprint()[12:])},
		"of their own signature": {byOther(0x30, other.issuer()), ""},
		"no revocation":          {byOther(0x1f, other.issuer()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := clearsignVerdict(t, forgedVerifier(t, f.certificate(bytes.Repeat(c.packet, 9))), "a.sh.asc", forgedDocument(t, "echo a\n", f))
			found := 0
			for _, finding := range report.Findings {
				if finding.Code == "foreign-revocation" && strings.Contains(finding.Detail, c.words) {
					found++
				}
			}
			if report.Verdict != verifier.Valid || (found > 0) != (c.words != "") || found > 4 {
				t.Errorf("%s, findings %+v", report.Verdict, report.Findings)
			}
		})
	}
}

// TestClearsignAttacksOnTheSubpackets: what a signature says of itself counts
// only where it is hashed and said once, and naming two keys names none.
func TestClearsignAttacksOnTheSubpackets(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, other := newForger(created), newForger(created)
	good := [][]byte{at(2, clearsignTime), f.issuer()}
	with := func(more ...[]byte) [][]byte { return append(good[:2:2], more...) }
	for name, c := range map[string]struct {
		hashed, unhashed [][]byte
		verdict          verifier.Verdict
	}{
		"a good one":                                    {good, nil, verifier.Valid},
		"no creation time":                              {[][]byte{f.issuer()}, nil, verifier.Malformed},
		"a creation time that is not hashed":            {[][]byte{f.issuer()}, [][]byte{at(2, clearsignTime)}, verifier.Malformed},
		"the same creation time twice":                  {with(at(2, clearsignTime)), nil, verifier.Malformed},
		"another creation time that is not hashed":      {good, [][]byte{at(2, clearsignTime.AddDate(1, 0, 0))}, verifier.Valid},
		"four minutes ahead":                            {[][]byte{at(2, clearsignTime.Add(4*time.Minute)), f.issuer()}, nil, verifier.Valid},
		"six minutes ahead":                             {[][]byte{at(2, clearsignTime.Add(6*time.Minute)), f.issuer()}, nil, verifier.Expired},
		"as old as the key":                             {[][]byte{at(2, created), f.issuer()}, nil, verifier.Valid},
		"a second older than the key":                   {[][]byte{at(2, created.Add(-time.Second)), f.issuer()}, nil, verifier.Expired},
		"a life of no seconds is no end":                {with(lasting(3, 0)), nil, verifier.Valid},
		"two lives, the first without end":              {with(lasting(3, 0), lasting(3, time.Hour)), nil, verifier.Malformed},
		"a critical end that lies ahead":                {with(lasting(3|critical, time.Hour)), nil, verifier.Valid},
		"the key ID alone, not hashed":                  {good[:1], [][]byte{f.keyID()}, verifier.Valid},
		"fingerprint and key ID":                        {with(f.keyID()), nil, verifier.Valid},
		"another key ID that is not hashed":             {good, [][]byte{other.keyID()}, verifier.Malformed},
		"another fingerprint, and its own key ID":       {[][]byte{at(2, clearsignTime), other.issuer()}, [][]byte{f.keyID()}, verifier.Malformed},
		"a key ID of zeros beside":                      {good, [][]byte{subpacket(16, make([]byte, 8)...)}, verifier.Malformed},
		"no issuer":                                     {good[:1], nil, verifier.Malformed},
		"an unknown subpacket":                          {with(subpacket(99, 1)), nil, verifier.Valid},
		"an unknown critical subpacket":                 {with(subpacket(99|critical, 1)), nil, verifier.Malformed},
		"an unknown critical subpacket, not hashed":     {good, [][]byte{subpacket(99|critical, 1)}, verifier.Malformed},
		"a critical subpacket that belongs into a key":  {with(subpacket(27|critical, 2)), nil, verifier.Malformed},
		"a signature inside that is not hashed":         {good, [][]byte{f.back(forged{kind: 0x19, hashed: good}, other)}, verifier.Malformed},
		"a subpacket that is cut off":                   {with([]byte{50, 1, 1}), nil, verifier.Malformed},
		"a subpacket without a type":                    {with([]byte{0}), nil, verifier.Malformed},
		"129 subpackets":                                {with(bytes.Repeat(subpacket(60, 1), 127)), nil, verifier.Malformed},
		"a notation with lengths that reach beyond it":  {with(subpacket(20, 0x80, 0, 0, 0, 0xff, 3, 0xff, 1, 'a')), nil, verifier.Malformed},
		"an intended recipient that is somebody else":   {with(subpacket(35, append([]byte{4}, other.fingerprint()...)...)), nil, verifier.Valid},
		"a critical recipient, which nobody here looks": {with(subpacket(35|critical, append([]byte{4}, f.fingerprint()...)...)), nil, verifier.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := documentOf(t, "echo a\n", f.text("echo a\n", forged{kind: 1, hashed: c.hashed, unhashed: c.unhashed}))
			if report, _ := clearsignVerdict(t, forgedVerifier(t, f.certificate()), "a.sh.asc", doc); report.Verdict != c.verdict {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.verdict, report.Signatures)
			}
		})
	}
}

// TestClearsignASecondSignatureOfANewAlgorithm: whoever signs with an old and a
// new key side by side is not refused where only the old one is known; but a
// known key's signature that nobody can check refuses.
func TestClearsignASecondSignatureOfANewAlgorithm(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, other := newForger(created), newForger(created)
	text := func(f *forger, algorithm byte) []byte {
		packet := f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer()}})
		packet[6+2] = algorithm
		return packet
	}
	for name, c := range map[string]struct {
		second  []byte
		verdict verifier.Verdict
	}{
		"by an unknown key":                  {text(other, 99), verifier.Valid},
		"by a known key":                     {text(f, 99), verifier.Unsupported},
		"in a packet of an unknown version":  {forgedPacket(2, 23, 1, 22, 10, 0, 0, 0, 0), verifier.Unsupported},
		"in a packet without creation time":  {other.text("echo a\n", forged{kind: 1, hashed: [][]byte{other.issuer()}}), verifier.Malformed},
		"with a hash function that is weak":  {other.text("echo a\n", forged{kind: 1, hash: 2, hashed: [][]byte{at(2, clearsignTime), other.issuer()}}), verifier.Malformed},
		"of the type of a detached document": {other.text("echo a\n", forged{kind: 0, hashed: [][]byte{at(2, clearsignTime), other.issuer()}}), verifier.WrongPurpose},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, signatures := range [][][]byte{{text(f, 22), c.second}, {c.second, text(f, 22)}} {
				report, _ := clearsignVerdict(t, forgedVerifier(t, f.certificate()), "a.sh.asc", documentOf(t, "echo a\n", signatures...))
				if report.Verdict != c.verdict {
					t.Errorf("%s, want %s: %+v", report.Verdict, c.verdict, report.Signatures)
				}
			}
		})
	}
}

// TestClearsignASignerIsNotShownByANameThatSomebodyAdded: whoever hands out a
// certificate can put any user ID into it, but not sign it.
func TestClearsignASignerIsNotShownByANameThatSomebodyAdded(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f := newForger(created)
	certificate := f.certificate()
	text := f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer()}})
	gone := forgedPacket(13, []byte("Gone")...)
	gone = append(gone, f.self(forged{kind: 0x13, hashed: [][]byte{at(2, created), f.issuer(), flags(3)}}, "Gone")...)
	gone = append(gone, f.self(forged{kind: 0x30, hashed: [][]byte{at(2, created.Add(time.Hour)), f.issuer()}}, "Gone")...)
	ring := bytes.Join([][]byte{f.keyPacket(), forgedPacket(13, []byte("The boss")...), gone, certificate[len(f.keyPacket()):]}, nil)
	report, _ := clearsignVerdict(t, forgedVerifier(t, ring), "a.sh.asc", documentOf(t, "echo a\n", text))
	if report.Verdict != verifier.Valid || report.Signatures[0].Signer.Display != "Forger" {
		t.Errorf("%s by %q", report.Verdict, report.Signatures[0].Signer.Display)
	}
}

// A deny list holds for the key, its certificate, the file and its text.
func TestClearsignWhatADenyListNamesIsRevoked(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	const text = "#!/bin/bash\necho a\n"
	signed := clearsigned(t, "a.sh", text, key)
	signing, ok := entity.SigningKey(clearsignTime, nil)
	if !ok {
		t.Fatal("no signing key")
	}
	for name, c := range map[string]struct {
		entry   string
		verdict verifier.Verdict
	}{
		"the certificate": {fmt.Sprintf("openpgp:%x", entity.PrimaryKey.Fingerprint), verifier.Revoked},
		"the signing key": {fmt.Sprintf("openpgp:%x", signing.PublicKey.Fingerprint), verifier.Revoked},
		"the file":        {"sha256:" + sha256Hex(signed), verifier.Revoked},
		"the text":        {"sha256:" + sha256Hex([]byte(text)), verifier.Revoked},
		"another text":    {"sha256:" + sha256Hex([]byte("a")), verifier.Valid},
	} {
		files := append(clearsignTrust(t, entity).All(), verifier.TrustFile{Store: "z", Room: verifier.RoomDeny, Name: "list", Data: []byte(c.entry + " # lost")})
		trust, err := verifier.NewTrust(files...)
		if err != nil {
			t.Fatal(err)
		}
		report, _ := clearsignVerdict(t, clearsignVerifier(t, trust, clearsignTime), "a.sh.asc", signed)
		if report.Verdict != c.verdict || !report.Payload.IsZero() != (c.verdict == verifier.Valid) {
			t.Errorf("%s: %s, %+v", name, report.Verdict, report.Signatures)
		}
	}
}
