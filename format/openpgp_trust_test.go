package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// openpgpTrust makes a trust store of "store/room" and what lies in it.
func openpgpTrust(t testing.TB, rooms map[string]string) *verifier.TrustStore {
	t.Helper()
	var files []verifier.TrustFile
	for place, text := range rooms {
		store, room, _ := strings.Cut(place, "/")
		files = append(files, verifier.TrustFile{Store: store, Room: verifier.Room(room), Name: place, Data: []byte(text)})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// openpgpStores makes a verifier that trusts such a store.
func openpgpStores(t testing.TB, rooms map[string]string) *verifier.Verifier {
	t.Helper()
	return clearsignVerifier(t, openpgpTrust(t, rooms), clearsignTime)
}

// forgedDocument is a document, signed now by each of the keys.
func forgedDocument(t testing.TB, text string, forgers ...*forger) []byte {
	t.Helper()
	var packets [][]byte
	for _, f := range forgers {
		packets = append(packets, f.text(text, forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer()}}))
	}
	return documentOf(t, text, packets...)
}

func trustDetail(s verifier.Signature) string {
	for _, c := range s.Checks {
		if c.ID == verifier.CheckTrust {
			return c.Detail
		}
	}
	return ""
}

func TestOpenPGPPinsNarrowAndNeverWiden(t *testing.T) {
	t.Parallel()
	f, other := newForger(clearsignTime.AddDate(-1, 0, 0)), newForger(clearsignTime.AddDate(-1, 0, 0))
	pin := fmt.Sprintf("openpgp:%X", f.fingerprint())
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "ops", "deploy.sh.asc")
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, forgedDocument(t, "echo a\n", f), 0o600); err != nil {
		t.Fatal(err)
	}
	there, err := runbook.ReadFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	nowhere, err := runbook.Parse("deploy.sh.asc", there.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	day := func(days int) string { return clearsignTime.AddDate(0, 0, days).Format(time.DateOnly) }
	for name, c := range map[string]struct {
		pins  string
		rb    *runbook.Runbook
		words string // why it is not trusted; "" if it is
	}{
		"named":                         {pin, nowhere, ""},
		"named in lower case":           {"openpgp:" + strings.ToLower(pin[8:]) + " # Ada", nowhere, ""},
		"another is named":              {fmt.Sprintf("openpgp:%X", other.fingerprint()), nowhere, "no pin names it"},
		"in its window":                 {pin + " valid-from=" + day(-1) + " valid-until=" + day(1), nowhere, ""},
		"to the second":                 {pin + " valid-from=" + clearsignTime.Format(time.RFC3339), nowhere, ""},
		"before its window":             {pin + " valid-from=" + day(1), nowhere, "the pin in line 1 does not hold before"},
		"at the end of its window":      {pin + " valid-until=" + clearsignTime.Format(time.RFC3339), nowhere, "held until"},
		"of its kind":                   {pin + ` kinds="python, bash"`, nowhere, ""},
		"of another kind":               {pin + ` kinds=python`, nowhere, "is for python, and this is bash"},
		"where it may lie":              {pin + ` paths="/nowhere/**,**/ops/*.sh"`, there, ""},
		"where it may not lie":          {pin + ` paths="/srv/**"`, there, "is for paths like /srv/** only"},
		"the signature is no part":      {pin + ` paths="**/*.sh"`, there, ""},
		"where it lies is not known":    {pin + ` paths="**"`, nowhere, "not known"},
		"all has to fit":                {pin + ` kinds=bash paths="/srv/**"`, there, "paths"},
		"any of several pins may fit":   {pin + " kinds=python\n" + pin + " kinds=bash", nowhere, ""},
		"none of several pins may fit":  {pin + " kinds=python\n\n" + pin + " kinds=perl", nowhere, "line 3 is for perl"},
		"two pins are not put together": {pin + ` kinds=bash paths="/srv/**"` + "\n" + pin + ` kinds=python paths="**"`, there, "line 1 is for paths"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := openpgpStores(t, map[string]string{"s/openpgp": string(f.certificate()) + string(other.certificate()), "s/openpgp-pins": c.pins})
			report, err := v.Inspect(t.Context(), c.rb)
			if err != nil {
				t.Fatal(err)
			}
			want, store := verifier.Valid, "s"
			if c.words != "" {
				want, store = verifier.Untrusted, ""
			}
			s := report.Signatures[0]
			if report.Verdict != want || s.TrustStore != store || !strings.Contains(trustDetail(s), c.words) {
				t.Errorf("%s, want %s, by store %q: %s", report.Verdict, want, s.TrustStore, trustDetail(s))
			}
		})
	}
}

func TestOpenPGPPinsForNamespacesFitSignaturesThatClaimThem(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	prod, domain := claim("runbook-namespace", "prod"), "runbook-namespace@example.org"
	for name, c := range map[string]struct {
		namespaces       string
		hashed, unhashed []byte
		words            string // why it is not trusted; "" if it is
	}{
		"the one that is claimed": {"prod", prod, nil, ""},
		"one of several":          {`"test, prod"`, prod, nil, ""},
		"another":                 {"test", prod, nil, "is for the namespaces test, and the signature claims prod"},
		"in other letters":        {"Prod", prod, nil, "claims prod"},
		"a part of it":            {"pro", prod, nil, "claims prod"},
		"none is claimed":         {"prod", nil, nil, "does not claim one"},
		"one that is not signed":  {"prod", nil, prod, "does not claim one"},
		"one of another domain":   {"prod", subpacket(20, notation(textFlag, domain, "prod")...), nil, "does not claim one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := openpgpStores(t, map[string]string{"s/openpgp": string(f.certificate()), "s/openpgp-pins": fmt.Sprintf("openpgp:%X namespaces=%s", f.fingerprint(), c.namespaces)})
			signature := f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer(), c.hashed}, unhashed: [][]byte{c.unhashed}})
			report, _ := clearsignVerdict(t, v, "a.sh.asc", documentOf(t, "echo a\n", signature))
			want := verifier.Valid
			if c.words != "" {
				want = verifier.Untrusted
			}
			if report.Verdict != want || !strings.Contains(trustDetail(report.Signatures[0]), c.words) {
				t.Errorf("%s, want %s: %s", report.Verdict, want, trustDetail(report.Signatures[0]))
			}
		})
	}
}

// TestOpenPGPEightVerifiersOnOneStore: with -race. All read the same files, and
// each is used by two goroutines that judge at different times.
func TestOpenPGPEightVerifiersOnOneStore(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	rooms := map[string]string{"old/settings": "openpgp-time:at-signing\nopenpgp-sha1-self-signatures:accept\nopenpgp-trailing-blanks:accept"}
	var docs [][]byte
	for i := range 6 {
		f, sub := newForger(created), newForger(created)
		bound := f.binds(forged{kind: 0x18, hashed: [][]byte{at(2, created), f.issuer(), flags(2), lasting(9, 2*365*24*time.Hour), f.back(forged{kind: 0x19, hashed: [][]byte{at(2, created), sub.issuer()}}, sub)}}, sub)
		store := []string{"old", "pinned", "plain"}[i%3]
		rooms[store+"/openpgp"] += string(f.certificate(sub.subkeyPacket(), bound))
		rooms["pinned/openpgp-pins"] += fmt.Sprintf("openpgp:%X kinds=bash\n", f.fingerprint())
		docs = append(docs, forgedDocument(t, "echo a\n", f, sub))
	}
	trust := openpgpTrust(t, rooms)
	var wg sync.WaitGroup
	for range 8 {
		var years atomic.Int64 // ahead: each judgement is at another time than the one before
		v, err := verifier.New(trust, verifier.Options{
			Formats: []verifier.Format{format.NewClearsign(), format.NewDetached()},
			Now:     func() time.Time { return clearsignTime.AddDate(int(years.Add(1)%2)*3, 0, 0) },
		})
		if err != nil {
			t.Fatal(err)
		}
		for g := range 2 {
			wg.Go(func() {
				for i := range 12 {
					n := (g + i) % len(docs)
					rb, err := runbook.Parse("a.sh.asc", docs[n])
					if err != nil {
						t.Error(err)
						return
					}
					report, err := v.Inspect(t.Context(), rb)
					if err != nil {
						t.Error(err)
						return
					}
					want := verifier.Valid
					if report.At.After(clearsignTime) && n%3 != 0 {
						want = verifier.Expired
					}
					if report.Verdict != want {
						t.Errorf("document %d at %s is %s, want %s", n, report.At, report.Verdict, want)
					}
				}
			})
		}
	}
	wg.Wait()
}

func TestOpenPGPPinsThatCannotBeHonouredAreRefused(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	pin := fmt.Sprintf("openpgp:%X", f.fingerprint())
	load := func(store, pins string) error {
		trust, err := verifier.NewTrust(
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: f.certificate()},
			verifier.TrustFile{Store: store, Room: verifier.RoomOpenPGPPins, Name: "p", Data: []byte(pins)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = format.NewClearsign().Load(trust)
		return err
	}
	for pins, words := range map[string]string{
		"# nobody":                            "no pins in it",
		"openpgp:" + pin[20:]:                 "whole fingerprint",
		"openpgp:":                            "whole fingerprint",
		"x509-sha256:" + pin[8:]:              "want openpgp",
		pin + " since=2026-01-01":             `no field "since"`,
		pin + " valid-from=2026-13-01":        "want 2026-01-31 or",
		pin + " valid-from=1.1.2026":          "want 2026-01-31 or",
		pin + " valid-until=2026-01-01T00:00": "want 2026-01-31 or",
		pin + " valid-from=2026-01-01 valid-until=2026-01-01": "never hold",
		pin + " namespaces=-prod":                             "is not a name",
		pin + " kinds=shell":                                  `unknown kind "shell"`,
		pin + ` kinds="bash,"`:                                "an empty entry",
		pin + " paths=srv/**":                                 "paths are absolute",
		pin + " paths=/srv/../x":                              "segment ..",
		pin + " paths=/srv/x.sh.asc":                          "ends in .asc",
		pin + "\n" + pin + " paths=/srv/[ab]/":                "line 2",
	} {
		if err := load("s", pins); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want %q", pins, err, words)
		}
	}
	if err := load("other", pin); err == nil || !strings.Contains(err.Error(), "trust nobody") {
		t.Errorf("pins of a store without certificates: %v", err)
	}
}

func TestOpenPGPASignerIsTrustedByOneStoreAsAWhole(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, other := newForger(created), newForger(created)
	cert, others := string(f.certificate()), string(other.certificate())
	revoked := string(f.certificate(f.self(forged{kind: 0x20, hashed: [][]byte{at(2, created), f.issuer()}}, "")))
	pin, otherPin := fmt.Sprintf("openpgp:%X", f.fingerprint()), fmt.Sprintf("openpgp:%X", other.fingerprint())
	doc := forgedDocument(t, "echo a\n", f)
	for name, c := range map[string]struct {
		rooms   map[string]string
		verdict verifier.Verdict
		store   string
		words   string
	}{
		"the pins of one store do not bind another": {
			map[string]string{"a/openpgp": cert, "a/openpgp-pins": otherPin, "b/openpgp": cert}, verifier.Valid, "b", `(store "b")`,
		},
		"the pin of one store does not help another": {
			map[string]string{"a/openpgp": others, "a/openpgp-pins": pin, "b/openpgp": cert, "b/openpgp-pins": otherPin}, verifier.Untrusted, "", `no pin names it (store "b")`,
		},
		"each store says why": {
			map[string]string{"a/openpgp": cert, "a/openpgp-pins": pin + " kinds=perl", "b/openpgp": cert, "b/openpgp-pins": otherPin}, verifier.Untrusted, "", `this is bash (store "a"); no pin names it (store "b")`,
		},
		"a revocation counts wherever it lies": {
			map[string]string{"a/openpgp": cert, "b/openpgp": revoked, "b/openpgp-pins": otherPin}, verifier.Revoked, "a", "",
		},
		"files named by flags have no name": {
			map[string]string{"/openpgp": cert}, verifier.Valid, "", "is in the trust store",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := clearsignVerdict(t, openpgpStores(t, c.rooms), "a.sh.asc", doc)
			s := report.Signatures[0]
			if report.Verdict != c.verdict || s.TrustStore != c.store || !strings.Contains(trustDetail(s), c.words) {
				t.Errorf("%s by store %q: %s", report.Verdict, s.TrustStore, trustDetail(s))
			}
		})
	}
}

// A bad certificate is told of and costs only itself, in a file of its own too; a
// file that holds no certificate at all is a mistake.
func TestOpenPGPABadCertificateIsLeftOutAndTold(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	good, old := string(f.certificate()), string(forgedPacket(6, 3, 1, 2, 3, 4, 0, 0, 1, 0, 8, 0xff, 0, 2, 3))
	for name, c := range map[string]struct {
		files [][2]string // store, text
		notes int
		fails string
	}{
		"alone":                        {[][2]string{{"a", old}}, 0, "a1"},
		"beside a good one":            {[][2]string{{"a", good}, {"a", old}}, 1, ""},
		"before a good one":            {[][2]string{{"a", old}, {"a", good}}, 1, ""},
		"beside one of another store":  {[][2]string{{"a", good}, {"b", old}}, 0, "b2"},
		"behind one in the same file":  {[][2]string{{"a", good + old}}, 1, ""},
		"no certificate at all":        {[][2]string{{"a", good}, {"a", "hello"}}, 0, "a2"},
		"an armored block that ends":   {[][2]string{{"a", good}, {"a", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n"}}, 1, ""},
		"an armored block of no sense": {[][2]string{{"a", good}, {"a", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n????\n"}}, 0, "a2"},
		"bytes of no sense":            {[][2]string{{"a", good}, {"a", "\xff\xff\xff"}}, 0, "a2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var files []verifier.TrustFile
			for i, file := range c.files {
				files = append(files, verifier.TrustFile{Store: file[0], Room: verifier.RoomOpenPGP, Name: fmt.Sprintf("%s%d", file[0], i+1), Data: []byte(file[1])})
			}
			trust, err := verifier.NewTrust(files...)
			if err != nil {
				t.Fatal(err)
			}
			v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign(), format.NewDetached()}})
			var te *verifier.TrustError
			if c.fails != "" {
				if !errors.As(err, &te) || te.Path != c.fails {
					t.Errorf("got %v, want *TrustError about %s", err, c.fails)
				}
				return
			}
			if err != nil || len(v.Notes()) != c.notes {
				t.Errorf("%v, notes %q", err, v.Notes())
			}
		})
	}
}

// A setting holds for those that its store trusts, and for nobody else.
func TestOpenPGPSettingsLiftOneRuleOfOneStore(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	signed := clearsignTime.AddDate(0, -6, 0)
	f, other, sub := newForger(created), newForger(created), newForger(created)
	id := func(hash byte, more ...[]byte) []byte {
		return append(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hash: hash, hashed: append([][]byte{at(2, created), f.issuer(), flags(3)}, more...)}, "a")...)
	}
	key := func(packets ...[]byte) []byte { return bytes.Join(append([][]byte{f.keyPacket()}, packets...), nil) }
	revocation := func(kind byte, when time.Time, userID string, reason ...byte) []byte {
		hashed := [][]byte{at(2, when), f.issuer()}
		if reason != nil {
			hashed = append(hashed, subpacket(29, reason...))
		}
		return f.self(forged{kind: kind, hashed: hashed}, userID)
	}
	unread := revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 3)
	p, _, err := pgpcert.NextPacket(unread)
	if err != nil {
		t.Fatal(err)
	}
	p.Body[3] = 1 // MD5, which nobody computes any more
	text := func(f *forger, when time.Time) []byte {
		return f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, when), f.issuer()}})
	}
	doc := documentOf(t, "echo a\n", text(f, signed))
	bySub := documentOf(t, "echo a\n", text(sub, signed))
	subkey := func(hash byte) []byte {
		back := f.back(forged{kind: 0x19, hash: hash, hashed: [][]byte{at(2, created), sub.issuer()}}, sub)
		return f.certificate(sub.subkeyPacket(), f.binds(forged{kind: 0x18, hash: hash, hashed: [][]byte{at(2, created), f.issuer(), flags(2), back}}, sub))
	}
	twice := documentOf(t, "echo a\n", text(f, clearsignTime), text(other, clearsignTime))
	blanks := bytes.Replace(doc, []byte("echo a"), []byte("echo a \t"), 1)
	year, nine := 365*24*time.Hour, 30*24*9*time.Hour
	const atSigning, sha1, refuse, trailing = "openpgp-time:at-signing", "openpgp-sha1-self-signatures:accept", "openpgp-unknown-signers:refuse", "openpgp-trailing-blanks:accept"
	const valid, expired, revoked, weak, noncanonical = verifier.Valid, verifier.Expired, verifier.Revoked, verifier.Weak, verifier.Noncanonical
	for _, c := range []struct {
		name      string
		ring, doc []byte
		setting   string
		without   verifier.Verdict
		with      verifier.Verdict
	}{
		{"a key that expired later", key(id(0, lasting(9, nine))), doc, atSigning, expired, valid},
		{"a key that expired before", key(id(0, lasting(9, year/4))), doc, atSigning, expired, expired},
		{"a key that is good", key(id(0)), doc, atSigning, valid, valid},
		{"a key that was retired later", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 3), id(0)), doc, atSigning, revoked, valid},
		{"a key that was superseded later", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 1), id(0)), doc, atSigning, revoked, valid},
		{"a key that was retired before", key(revocation(0x20, created, "", 3), id(0)), doc, atSigning, revoked, revoked},
		{"a key that was compromised later", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 2), id(0)), doc, atSigning, revoked, revoked},
		{"a key that was revoked later for no reason", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 0), id(0)), doc, atSigning, revoked, revoked},
		{"a key that was revoked later without a reason", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), ""), id(0)), doc, atSigning, revoked, revoked},
		{"a key that was retired later, by a revocation of another kind as well", key(revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 3), revocation(0x20, clearsignTime.AddDate(0, -1, 0), "", 2), id(0)), doc, atSigning, revoked, revoked},
		{"a key that was retired later, in words that cannot be checked", key(unread, id(0)), doc, atSigning, revoked, revoked},
		{"a user ID that was given up later", key(id(0), revocation(0x30, clearsignTime.AddDate(0, -1, 0), "a", 32)), doc, atSigning, revoked, valid},
		{"a user ID that was revoked later", key(id(0), revocation(0x30, clearsignTime.AddDate(0, -1, 0), "a")), doc, atSigning, revoked, revoked},
		{"a key whose only self-signature is newer", key(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hashed: [][]byte{at(2, clearsignTime.AddDate(0, -1, 0)), f.issuer(), flags(3)}}, "a")), doc, atSigning, valid, valid},
		{"a key that may no longer sign", key(id(0), f.self(forged{kind: 0x13, hashed: [][]byte{at(2, clearsignTime.AddDate(0, -1, 0)), f.issuer(), flags(1)}}, "a")), doc, atSigning, verifier.WrongPurpose, verifier.WrongPurpose},
		{"a self-signature that expired later", key(forgedPacket(13, 'a'), f.self(forged{kind: 0x13, hashed: [][]byte{at(2, created), f.issuer(), flags(3), lasting(3, nine)}}, "a")), doc, atSigning, expired, valid},
		{"a signature that expired", key(id(0)), documentOf(t, "echo a\n", f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, signed), f.issuer(), lasting(3, time.Hour)}})), atSigning, expired, expired},
		{"a signature that is older than the key", key(id(0)), documentOf(t, "echo a\n", text(f, created.Add(-time.Hour))), atSigning, expired, expired},
		{"a signature from the future", key(id(0)), documentOf(t, "echo a\n", text(f, clearsignTime.AddDate(1, 0, 0))), atSigning, expired, expired},

		{"a self-signature with SHA-1", key(id(2)), doc, sha1, weak, valid},
		{"bindings with SHA-1", subkey(2), bySub, sha1, weak, valid},
		{"bindings that are good", subkey(0), bySub, sha1, valid, valid},
		{"text signed with SHA-1", key(id(2)), bytes.Replace(documentOf(t, "echo a\n", f.text("echo a\n", forged{kind: 1, hash: 2, hashed: [][]byte{at(2, signed), f.issuer()}})), []byte("SHA512"), []byte("SHA1"), 1), sha1, weak, weak},
		{"an expiry in a newer self-signature with SHA-1", key(id(0), f.self(forged{kind: 0x13, hash: 2, hashed: [][]byte{at(2, created.Add(time.Hour)), f.issuer(), flags(3), lasting(9, time.Hour)}}, "a")), doc, sha1, valid, expired},

		{"an unknown signer beside", f.certificate(), twice, refuse, valid, verifier.Untrusted},
		{"nobody beside", f.certificate(), doc, refuse, valid, valid},

		{"blanks at line ends", f.certificate(), blanks, trailing, noncanonical, valid},
		{"a CR at a line end", f.certificate(), bytes.Replace(doc, []byte("echo a"), []byte("echo a\r"), 1), trailing, noncanonical, noncanonical},
		{"blanks by an unknown signer", other.certificate(), blanks, trailing, noncanonical, noncanonical},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for settings, want := range map[string]verifier.Verdict{"": c.without, c.setting: c.with} {
				rooms := map[string]string{"s/openpgp": string(c.ring), "t/deny": "sha256:" + strings.Repeat("0", 64), "t/settings": c.setting}
				if settings != "" {
					rooms["s/settings"] = settings
				}
				report, payload := clearsignVerdict(t, openpgpStores(t, rooms), "a.sh.asc", c.doc)
				if report.Verdict != want || want == valid && string(payload) != "echo a\n" {
					t.Errorf("%q: %s, want %s: %+v", settings, report.Verdict, want, report.Signatures)
				}
				lifted := false
				for _, finding := range report.Findings {
					lifted = lifted || finding.Code == "accepted-by-settings" || finding.Code == "trailing-blanks"
				}
				if want == valid && lifted != (c.without != valid) {
					t.Errorf("%q: findings %+v", settings, report.Findings)
				}
			}
		})
	}
}

// Where one signer's store accepts blanks and the other's does not, the file is
// refused.
func TestOpenPGPBlanksAreAcceptedForEachSignerByHisStore(t *testing.T) {
	t.Parallel()
	created := clearsignTime.AddDate(-1, 0, 0)
	f, other := newForger(created), newForger(created)
	doc := bytes.Replace(forgedDocument(t, "echo a\n", f, other), []byte("echo a"), []byte("echo a "), 1)
	rooms := map[string]string{"a/openpgp": string(f.certificate()), "a/settings": "openpgp-trailing-blanks:accept", "b/openpgp": string(other.certificate())}
	if report, _ := clearsignVerdict(t, openpgpStores(t, rooms), "a.sh.asc", doc); report.Verdict != verifier.Noncanonical {
		t.Errorf("%s", report.Verdict)
	}
	delete(rooms, "b/openpgp")
	if report, _ := clearsignVerdict(t, openpgpStores(t, rooms), "a.sh.asc", doc); report.Verdict != verifier.Valid {
		t.Errorf("beside somebody unknown: %s, %+v", report.Verdict, report.Signatures)
	}
}

// FuzzOpenPGPPins: no file of pins makes the reader panic, and none that is read
// widens: nobody is trusted whom it does not name.
func FuzzOpenPGPPins(f *testing.F) {
	signer := newForger(clearsignTime.AddDate(-1, 0, 0))
	pin := fmt.Sprintf("openpgp:%X", signer.fingerprint())
	f.Add(pin)
	f.Add(pin + ` valid-from=2020-01-01 valid-until=2030-01-01T00:00:00+01:00 kinds="bash,python" paths="/srv/**,**/a.sh" namespaces=prod # why`)
	f.Add("# none\n" + strings.Replace(pin, ":", ":0", 1))
	doc := forgedDocument(f, "echo a\n", signer)
	f.Fuzz(func(t *testing.T, pins string) {
		trust, err := verifier.NewTrust(
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "k", Data: signer.certificate()},
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGPPins, Name: "p", Data: []byte(pins)})
		if err != nil {
			return
		}
		v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign()}, Now: func() time.Time { return clearsignTime }})
		if err != nil {
			return
		}
		report, _ := clearsignVerdict(t, v, "a.sh.asc", doc)
		named := strings.Contains(strings.ToUpper(pins), strings.ToUpper(pin))
		if report.Verdict == verifier.Valid && !named || report.Verdict != verifier.Valid && report.Verdict != verifier.Untrusted {
			t.Errorf("%s, named: %v", report.Verdict, named)
		}
	})
}
