package format_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// clearsignPolicy is the one place for the cases that the vectors leave open:
// the verdict that this implementation gives, every time, and why.
var clearsignPolicy = map[string]struct {
	verdict verifier.Verdict
	reason  string
}{
	"a07-crlf-file":              {verifier.Valid, "CRLF throughout is what git and editors make of LF; LF is executed"},
	"a08-empty-text":             {verifier.Valid, "one empty line is text as good as any; the payload is one newline"},
	"a14-utf8-bom-text":          {verifier.Valid, "the mark is signed; a finding says so"},
	"a20-brainpoolP256r1":        {verifier.Valid, "a curve of RFC 9580"},
	"a20-secp256k1":              {verifier.Unsupported, "not a curve of RFC 9580"},
	"b03-prefix-blank":           {verifier.Malformed, "the marker stands at offset 0 or the file is no document"},
	"b04-suffix-blank":           {verifier.Valid, "empty lines behind the end say nothing, in no language"},
	"b09-begin-trailing-space":   {verifier.Malformed, "nothing stands behind a marker"},
	"b12-ws-separator":           {verifier.Malformed, "implementations disagree where the text begins"},
	"b25-opaque-signed":          {verifier.Unsupported, "signed, but not clear-signed: nobody can read what would run"},
	"b32-bom-before-begin":       {verifier.Malformed, "the marker stands at offset 0; GnuPG does not find it either"},
	"c07-hash-no-space":          {verifier.Malformed, "no program writes it, and GnuPG refuses it"},
	"c09-hash-mismatch-sha1":     {verifier.Malformed, "GnuPG refuses it; the header lies"},
	"c10-hash-md5":               {verifier.Malformed, "GnuPG refuses it; the header lies"},
	"c20-1000-hash":              {verifier.Malformed, "more than 16 header lines"},
	"c27-hash-empty":             {verifier.Malformed, "no program writes it, and GnuPG refuses it"},
	"d01-trailing-space":         {verifier.Noncanonical, "blanks that are not signed can change what a script means"},
	"d02-trailing-tab":           {verifier.Noncanonical, "as d01"},
	"d03-crlf-some":              {verifier.Noncanonical, "a CR that is not signed can change what a script means"},
	"d04-crcrlf":                 {verifier.Noncanonical, "as d03; RFC 4880 and 9580 hash such a line differently"},
	"d09-ff-eol":                 {verifier.Malformed, "no control characters but TAB and LF in text"},
	"d14-u2028-signed":           {verifier.Valid, "signed as it is; a finding says so"},
	"d15-bidi-signed":            {verifier.Valid, "signed as it is; a finding says so"},
	"d16-ansi-signed":            {verifier.Malformed, "no control characters but TAB and LF in text"},
	"d17-dash-escape-added":      {verifier.Valid, "any line may be escaped; the payload is the same"},
	"d18-dash-unescaped":         {verifier.Malformed, "a line that starts with a dash must be escaped"},
	"e09-retired-sig-before":     {verifier.Revoked, "keys are judged now, not at a date that the signer chose"},
	"e21-rsa2048":                {verifier.Valid, "still accepted everywhere; a finding recommends 3072 bits"},
	"e22-sha1-selfsig":           {verifier.Weak, "who can forge the self-signature owns the key's expiry and flags"},
	"e36-keyid-only":             {verifier.Valid, "as GnuPG before 2.1.16 wrote; every key of that ID is tried"},
	"e40-signer-uid-lie":         {verifier.Valid, "the signer is the fingerprint; user IDs are never used"},
	"e41-unknown-then-good":      {verifier.Valid, "the unknown signature is reported and grants nothing"},
	"e42-good-then-unknown":      {verifier.Valid, "as e41"},
	"e48-marker":                 {verifier.Malformed, "only signature packets in the block"},
	"e50-bad-crc":                {verifier.Malformed, "a checksum that is there must be right"},
	"e54-bad-left16":             {verifier.Malformed, "no program writes it; the packet was edited"},
	"e56-hash-header-subset":     {verifier.Malformed, "GnuPG could not check one of the two signatures"},
	"e57-detached-text-sig":      {verifier.Valid, "nothing tells it from text with an empty last line"},
	"e59-embedded-sig-subpkt":    {verifier.Malformed, "an embedded signature belongs into key bindings"},
	"e60-policy-url":             {verifier.Valid, "subpackets that are not critical are not looked at"},
	"e61-notation-status-inject": {verifier.Valid, "as e60; notations are never printed"},
	"e71-no-keyflags":            {verifier.WrongPurpose, "a key that is not said to sign does not sign"},
	"e73-v6":                     {verifier.Valid, "RFC 9580; GnuPG cannot read it"},
	"g02-crlf":                   {verifier.Noncanonical, "the CRs of the source are in the file and not in what is signed"},
	"g03-no-final-nl":            {verifier.Valid, "the payload gains the newline that GnuPG's own output gains"},
	"g08-nul":                    {verifier.Malformed, "no NUL"},
	"g09-nul-eol":                {verifier.Malformed, "no NUL"},
	"g11-one-nl":                 {verifier.Valid, "as a08"},
	"g12-bom":                    {verifier.Valid, "as a14"},
}

// clearsignPayloads are the cases whose payload is not the .want file, and why.
var clearsignPayloads = map[string]struct{ payload, reason string }{
	"a03-gocrypto":          {"#!/bin/bash\necho hello\necho bye\n\n", "the .want ends in a newline, \"?\": it is meant as \"a newline or none\""},
	"e73-v6":                {"#!/bin/bash\necho hello\necho bye\n\n", "as a03"},
	"e57-detached-text-sig": {"#!/bin/bash\necho hello\necho bye\n\n", "the .want is the file of the detached signature; as clear-signed text the document is like a03, with an empty last line, as in GnuPG's output"},
	"g03-no-final-nl":       {"#!/bin/bash\necho hi\n", "the .want is the source; the payload is GnuPG's output"},
}

func clearsignVectorTrust(t testing.TB, names ...string) *verifier.TrustStore {
	t.Helper()
	var files []verifier.TrustFile
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(testenv.Shared(t, "vectors/openpgp"), "keys", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: name, Data: data})
	}
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func clearsignVerifier(t testing.TB, trust *verifier.TrustStore, now time.Time) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewClearsign()},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// clearsignVerdict verifies a file and returns its report and, where valid, its
// payload.
func clearsignVerdict(t testing.TB, v *verifier.Verifier, name string, data []byte) (*verifier.Report, []byte) {
	t.Helper()
	return besideVerdict(t, v, name, data)
}

func TestClearsignVectorsGiveTheExpectedVerdicts(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "vectors/openpgp")
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	rings := map[string][]string{
		"binary rings": {"trusted-gpg.pgp", "trusted-go.pgp"},
		"a keybox":     {"trusted.kbx"},
	}
	for ring, files := range rings {
		v := clearsignVerifier(t, clearsignVectorTrust(t, files...), testenv.VectorTime())
		open := 0
		for line := range strings.Lines(string(index)) {
			fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
			if fields[0] == "file" {
				continue
			}
			name := strings.TrimSuffix(filepath.Base(fields[0]), ".asc")
			if fields[2] == "policy" {
				open++
			}
			if ring == "a keybox" && name == "e73-v6" {
				continue // GnuPG made the keybox and has no certificates of version 6
			}
			t.Run(ring+"/"+name, func(t *testing.T) {
				t.Parallel()
				checkClearsignVector(t, v, dir, name, fields[2])
			})
		}
		if open != len(clearsignPolicy) {
			t.Errorf("the index leaves %d cases open, the table answers %d", open, len(clearsignPolicy))
		}
	}
}

func checkClearsignVector(t *testing.T, v *verifier.Verifier, dir, name, expected string) {
	data, err := os.ReadFile(filepath.Join(dir, "cases", name+".asc"))
	if err != nil {
		t.Fatal(err)
	}
	report, payload := clearsignVerdict(t, v, name+".asc", data)
	switch expected {
	case "accept":
		if report.Verdict != verifier.Valid {
			t.Errorf("is %s, want valid: %+v", report.Verdict, report)
		}
	case "reject":
		if report.Verdict == verifier.Valid {
			t.Errorf("is valid: %+v", report)
		}
	case "policy":
		answer, ok := clearsignPolicy[name]
		if !ok || answer.reason == "" {
			t.Fatal("has no documented answer")
		}
		if report.Verdict != answer.verdict {
			t.Errorf("is %s, want %s: %+v", report.Verdict, answer.verdict, report)
		}
	default:
		t.Fatalf("unknown expectation %q", expected)
	}
	if report.Verdict != verifier.Valid {
		if payload != nil {
			t.Error("gives a payload")
		}
		return
	}
	want, err := os.ReadFile(filepath.Join(dir, "cases", name+".want"))
	if err != nil {
		t.Fatal(err)
	}
	if other, ok := clearsignPayloads[name]; ok {
		want = []byte(other.payload)
	}
	if !bytes.Equal(payload, want) {
		t.Errorf("payload %q, want %q", payload, want)
	}
}
