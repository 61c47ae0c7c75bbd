package format_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/verifier"
)

const claimedUnder = "@" + "runwrit.github.io"

// notation is the body of a notation subpacket.
func notation(flags uint32, name, value string) []byte {
	body := binary.BigEndian.AppendUint32(nil, flags)
	body = binary.BigEndian.AppendUint16(body, uint16(len(name)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(value)))
	return append(append(body, name...), value...)
}

const textFlag = 0x80000000

func claim(tag, value string) []byte {
	return subpacket(20, notation(textFlag, tag+claimedUnder, value)...)
}

// TestOnlyWellMadeClaimsThatAreSignedCount: a claim of our domain is read
// strictly where a trusted key made it, and those of other domains never.
func TestOnlyWellMadeClaimsThatAreSignedCount(t *testing.T) {
	t.Parallel()
	f := newForger(clearsignTime.AddDate(-1, 0, 0))
	cut := notation(textFlag, "runbook-name"+claimedUnder, "a.sh")
	for name, c := range map[string]struct {
		hashed, unhashed [][]byte
		want             *verifier.Claims // nil: malformed
	}{
		"name and kind":                 {[][]byte{claim("runbook-name", "a.sh"), claim("runbook-kind", "bash")}, nil, &verifier.Claims{Name: "a.sh", Kind: "bash"}},
		"everything":                    {[][]byte{claim("runbook-namespace", "prod"), claim("runbook-name", "a.sh"), claim("runbook-version", "1.10"), claim("runbook-kind", "bash")}, nil, &verifier.Claims{Name: "a.sh", Kind: "bash", Version: "1.10", Namespace: "prod"}},
		"a version alone":               {[][]byte{claim("runbook-version", "0")}, nil, &verifier.Claims{Version: "0"}},
		"a claim that is not signed":    {nil, [][]byte{claim("runbook-name", "a.sh"), claim("runbook-version", "9")}, &verifier.Claims{}},
		"one signed and one that isn't": {[][]byte{claim("runbook-version", "1")}, [][]byte{claim("runbook-version", "9"), claim("bogus", "x")}, &verifier.Claims{Version: "1"}},
		"another domain":                {[][]byte{subpacket(20, notation(textFlag, "runbook-version@example.org", "x\x1b[31m")...)}, nil, &verifier.Claims{}},
		"a domain below ours":           {[][]byte{subpacket(20, notation(textFlag, strings.Replace("runbook-version"+claimedUnder, "@", "@x.", 1), "9")...)}, nil, &verifier.Claims{}},
		"no domain":                     {[][]byte{subpacket(20, notation(textFlag, "runwrit.github.io", "9")...)}, nil, &verifier.Claims{}},
		"bytes of another domain":       {[][]byte{subpacket(20, notation(0, "salt@example.org", "\xff\x00")...)}, nil, &verifier.Claims{}},

		"the same claim twice":              {[][]byte{claim("runbook-version", "1"), claim("runbook-version", "1")}, nil, nil},
		"two versions":                      {[][]byte{claim("runbook-version", "1"), claim("runbook-version", "2")}, nil, nil},
		"an unknown claim":                  {[][]byte{claim("runbook-owner", "x")}, nil, nil},
		"an empty tag":                      {[][]byte{claim("", "x")}, nil, nil},
		"a tag with a domain inside":        {[][]byte{claim("runbook-name@example.org", "x")}, nil, nil},
		"a tag in capitals":                 {[][]byte{claim("Runbook-Name", "a.sh")}, nil, nil},
		"our domain in capitals":            {[][]byte{subpacket(20, notation(textFlag, strings.ToUpper("runbook-name"+claimedUnder), "a.sh")...)}, nil, nil},
		"an empty value":                    {[][]byte{claim("runbook-name", "")}, nil, nil},
		"a value that is no text":           {[][]byte{subpacket(20, notation(0, "runbook-name"+claimedUnder, "a.sh")...)}, nil, nil},
		"a value that is not UTF-8":         {[][]byte{claim("runbook-name", "a\xff.sh")}, nil, nil},
		"unknown flags":                     {[][]byte{subpacket(20, notation(textFlag|1, "runbook-name"+claimedUnder, "a.sh")...)}, nil, nil},
		"a critical claim":                  {[][]byte{subpacket(20|critical, notation(textFlag, "runbook-name"+claimedUnder, "a.sh")...)}, nil, nil},
		"a critical claim, not signed":      {nil, [][]byte{subpacket(20|critical, notation(textFlag, "runbook-name"+claimedUnder, "a.sh")...)}, nil},
		"a path":                            {[][]byte{claim("runbook-name", "../a.sh")}, nil, nil},
		"an escape":                         {[][]byte{claim("runbook-name", "a\x1b]0;x\x07.sh")}, nil, nil},
		"an endless name":                   {[][]byte{claim("runbook-name", strings.Repeat("a", 60_000))}, nil, nil},
		"a version of another form":         {[][]byte{claim("runbook-version", "1.4-rc1")}, nil, nil},
		"a version with a NUL":              {[][]byte{claim("runbook-version", "1\x00")}, nil, nil},
		"a kind of another form":            {[][]byte{claim("runbook-kind", "Bash")}, nil, nil},
		"a namespace of another form":       {[][]byte{claim("runbook-namespace", "a b")}, nil, nil},
		"a notation that is cut off":        {[][]byte{subpacket(20, cut[:7]...)}, nil, nil},
		"a notation with a value cut off":   {[][]byte{subpacket(20, cut[:len(cut)-1]...)}, nil, nil},
		"a notation with more than a value": {[][]byte{subpacket(20, append(bytes.Clone(cut), 'x')...)}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hashed := append([][]byte{at(2, clearsignTime), f.issuer()}, c.hashed...)
			doc := documentOf(t, "echo a\n", f.text("echo a\n", forged{kind: 1, hashed: hashed, unhashed: c.unhashed}))
			report, _ := clearsignVerdict(t, forgedVerifier(t, f.certificate()), "a.sh.asc", doc)
			if c.want == nil {
				if report.Verdict != verifier.Malformed {
					t.Errorf("%s, want malformed: %+v", report.Verdict, report.Signatures[0])
				}
				return
			}
			got := report.Signatures[0].Claims
			if got == nil {
				got = &verifier.Claims{}
			}
			if report.Verdict != verifier.Valid || !cmp.Equal(got, c.want) {
				t.Errorf("%s, claims %+v, want %+v", report.Verdict, got, c.want)
			}
		})
	}
}

// TestWhatAnUnknownSignerClaimsDeniesAndHelpsNothing: anybody can add a signature
// of a key of their own to a document.
func TestWhatAnUnknownSignerClaimsDeniesAndHelpsNothing(t *testing.T) {
	t.Parallel()
	f, stranger := newForger(clearsignTime.AddDate(-1, 0, 0)), newForger(clearsignTime.AddDate(-2, 0, 0))
	nobody := forgedVerifier(t, f.certificate())
	// Known, but not one of those whom the pins let sign.
	unpinned := openpgpStores(t, map[string]string{
		"s/openpgp": string(f.certificate()) + string(stranger.certificate()), "s/openpgp-pins": fmt.Sprintf("openpgp:%X", f.fingerprint()),
	})
	good := f.text("echo a\n", forged{kind: 1, hashed: [][]byte{at(2, clearsignTime), f.issuer(), claim("runbook-name", "a.sh"), claim("runbook-version", "1")}})
	for name, claims := range map[string][][]byte{
		"another name and kind": {claim("runbook-name", "b.py"), claim("runbook-kind", "python")},
		"a newer version":       {claim("runbook-name", "a.sh"), claim("runbook-version", "99")},
		"an unknown claim":      {claim("bogus", "x")},
		"a claim twice":         {claim("runbook-version", "1"), claim("runbook-version", "2")},
		"a broken notation":     {subpacket(20, 1, 2, 3)},
	} {
		other := stranger.text("echo a\n", forged{kind: 1, hashed: append([][]byte{at(2, clearsignTime), stranger.issuer()}, claims...)})
		for who, v := range map[string]*verifier.Verifier{"a stranger": nobody, "not pinned": unpinned} {
			report, _ := clearsignVerdict(t, v, "a.sh.asc", documentOf(t, "echo a\n", other, good))
			if report.Verdict != verifier.Valid || len(report.Findings) != 0 || report.Signatures[0].Verdict != verifier.Untrusted {
				t.Errorf("%s, %s: %s, %+v", who, name, report.Verdict, report.Findings)
			}
		}
	}
}

// TestAClaimIsReadFromAVersion6Signature: its subpackets lie elsewhere.
func TestAClaimIsReadFromAVersion6Signature(t *testing.T) {
	t.Parallel()
	config := &packet.Config{V6Keys: true, DefaultHash: crypto.SHA512, Time: func() time.Time { return clearsignKeyTime }}
	entity, err := openpgp.NewEntity("Six", "", "", config)
	if err != nil {
		t.Fatal(err)
	}
	key := entity.PrivateKey
	s := &packet.Signature{
		Version: 6, SigType: packet.SigTypeText, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA512, CreationTime: clearsignTime,
		Notations: []*packet.Notation{{Name: "runbook-version" + claimedUnder, Value: []byte("6.0"), IsHumanReadable: true}},
	}
	h, err := s.PrepareSign(config)
	if err == nil {
		err = cleartext.HashText(h, []byte("echo a\n"))
	}
	if err == nil {
		err = s.Sign(h, key, config)
	}
	var body bytes.Buffer
	if err == nil {
		err = s.Serialize(&body)
	}
	if err != nil {
		t.Fatal(err)
	}
	report, _ := clearsignVerdict(t, clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime), "a.sh.asc", documentOf(t, "echo a\n", body.Bytes()))
	if got := report.Signatures[0].Claims; report.Verdict != verifier.Valid || got == nil || got.Version != "6.0" {
		t.Errorf("%s, claims %+v: %+v", report.Verdict, got, report.Signatures)
	}
}
