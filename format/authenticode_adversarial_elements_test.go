package format_test

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/verifier"
)

// TestNoChangedElementStaysValid takes a signature with a timestamp and a nested
// signature apart, and leaves out, doubles, empties and retags each element of
// its DER, with all lengths set right. Only what nothing covers may change: the
// unsigned attributes, which are reported, and a certificate that comes twice.
func TestNoChangedElementStaysValid(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	times := vectors.Issue(t, f.now, "Root of times", nil)
	tsa := vectors.Issue(t, f.now, "Times", times, vectors.TimeStamping)
	v := store{"s/x509-ca/ca": string(f.root.PEM()), "s/tsa/ca": string(times.PEM())}.verifier(t, f.now)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	m := f.message(style, content)
	m.AddUnsigned(
		vectors.TokenAttribute(vectors.Token(t, tsa, m.Sign(t), vectors.Stamp{At: f.now})),
		vectors.Attribute(vectors.OIDNestedSignature, f.message(style, content).Build(t)))
	der := m.Build(t)
	attack{"", style.Render(content, der), "", verifier.Valid, "", ""}.judge(t, v)
	// ContentInfo, [0], SignedData, signerInfos, SignerInfo, unsignedAttrs.
	const unsigned, certificates = "/1/0/4/0/6", "/1/0/3"
	tried := 0
	mutate(der, "", func(path, how string, changed []byte) {
		if bytes.Equal(changed, der) || isNullOrNot(path, how) {
			return
		}
		tried++
		r := inspect(t, v, "job.ps1", style.Render(content, changed))
		switch {
		case r.Verdict == verifier.NotChecked:
			t.Errorf("%s %s: not checked", path, how)
		case r.Verdict != verifier.Valid, strings.HasPrefix(path, unsigned), path == certificates+"/0" && how == "twice":
		default:
			t.Errorf("%s %s: valid", path, how)
		}
	})
	if tried < 500 {
		t.Errorf("tried %d changes only", tried)
	}
}

// isNullOrNot: outside of what is signed, digestAlgorithms and the SignerInfo name
// algorithms, and a NULL behind their names may be there or not.
func isNullOrNot(path, how string) bool {
	return how == "left out" && (path == "/1/0/1/0/1" || path == "/1/0/4/0/2/1") ||
		how == "with something behind it" && path == "/1/0/4/0/4/0"
}

// mutate calls try with the whole of der for each change of each element; path
// counts the elements from the outside to the inside.
func mutate(der []byte, path string, try func(path, how string, changed []byte)) {
	if der[0]&0x20 == 0 {
		return
	}
	parts := vectors.Split(vectors.Body(der))
	for i, part := range parts {
		at := fmt.Sprintf("%s/%d", path, i)
		with := func(list ...[]byte) []byte {
			return vectors.TLV(der[0], slices.Concat(slices.Replace(slices.Clone(parts), i, i+1, list...)...))
		}
		try(at, "left out", with())
		try(at, "with something behind it", with(part, vectors.Null()))
		try(at, "twice", with(part, part))
		try(at, "emptied", with([]byte{part[0], 0}))
		for _, tag := range []byte{0x04, 0x30, 0xA0} {
			if tag != part[0] {
				try(at, fmt.Sprintf("with tag %#02x", tag), with(append([]byte{tag}, part[1:]...)))
			}
		}
		if i > 0 {
			swapped := slices.Clone(parts)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			try(at, "before the one before it", vectors.TLV(der[0], swapped...))
		}
		mutate(part, at, func(inner, how string, changed []byte) { try(inner, how, with(changed)) })
	}
}

// TestNoChangedElementOfATimestampSavesAnExpiredSignature does the same to a
// token, without which the signature would be expired.
func TestNoChangedElementOfATimestampSavesAnExpiredSignature(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	times := vectors.Issue(t, f.now, "Root of times", nil)
	tsa := vectors.Issue(t, f.now, "Times", times, vectors.TimeStamping)
	leaf := vectors.Issue(t, f.now, "Leaf", f.root, vectors.CodeSigning, vectors.Valid(f.now.AddDate(-1, 0, 0), f.now.AddDate(0, -1, 0)))
	v := store{"s/x509-ca/ca": string(f.root.PEM()), "s/tsa/ca": string(times.PEM())}.verifier(t, f.now)
	style, content := vectors.StyleOf(".ps1"), []byte(forgedContent)
	m := vectors.NewMessage(leaf, crypto.SHA256, style.IndirectData(crypto.SHA256, style.Digest(crypto.SHA256, content)))
	token := vectors.Token(t, tsa, m.Sign(t), vectors.Stamp{At: f.now.AddDate(0, -2, 0)})
	stamped := func(token []byte) *verifier.Report {
		m.Unsigned = nil
		return inspect(t, v, "job.ps1", style.Render(content, m.AddUnsigned(vectors.TokenAttribute(token)).Build(t)))
	}
	if r := stamped(token); r.Verdict != verifier.Valid {
		t.Fatalf("%s: %+v", r.Verdict, r.Findings)
	}
	const certificate = "/1/0/3/0"
	mutate(token, "", func(path, how string, changed []byte) {
		if bytes.Equal(changed, token) || isNullOrNot(path, how) {
			return
		}
		if r := stamped(changed); r.Verdict == verifier.Valid && !(path == certificate && how == "twice") {
			t.Errorf("%s %s: valid", path, how)
		}
	})
}

// TestNoChangedElementOfACatalogStaysValid does the same to a catalog. Beside the
// unsigned attributes nothing in it may change.
func TestNoChangedElementOfACatalogStaysValid(t *testing.T) {
	t.Parallel()
	f := newScriptForger(t)
	content := []byte(forgedContent)
	style := vectors.StyleOf(".ps1")
	m := vectors.NewCatalog(f.leaf, f.now, vectors.FlatMember(crypto.SHA256, content), style.TextMember(crypto.SHA256, content), vectors.FlatMember(crypto.SHA256, []byte("other")))
	der := m.Build(t)
	if r := listed(t, f.root.PEM(), "job.ps1", content, der); r.Verdict != verifier.Valid {
		t.Fatalf("%s: %+v", r.Verdict, r.Signatures)
	}
	const certificates = "/1/0/3"
	mutate(der, "", func(path, how string, changed []byte) {
		if bytes.Equal(changed, der) || isNullOrNot(path, how) {
			return
		}
		if _, _, err := cms.ParseCatalog(changed); err != nil {
			return
		}
		if r := listed(t, f.root.PEM(), "job.ps1", content, changed); r.Verdict == verifier.Valid && !(path == certificates+"/0" && how == "twice") {
			t.Errorf("%s %s: valid", path, how)
		}
	})
}
