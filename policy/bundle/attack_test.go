package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy/bundle"
)

// Each test of this file is named after an attack.

func TestAttackUnsignedBundle(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	_, err := bundle.Verify(build(t, contents(1)), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeUnsigned, "no .signatures.json")
	signed := alice.sign(t, build(t, contents(1)))
	none := change(t, signed, ".signatures.json", func([]byte) []byte { return []byte(`{"signatures":[]}`) })
	_, err = bundle.Verify(none, nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeUnsigned, "no token")
}

func TestAttackExtraUnlistedFile(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := takeApart(t, alice.sign(t, build(t, contents(1))))
	more := putTogether(t, append(signed, regular("policy/zz.rego", []byte("package writ.user.zz\n\nwarn contains \"x\"\n"))))
	_, err := bundle.Verify(more, nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, `"policy/zz.rego" is not listed`)
	less := putTogether(t, signed[:len(signed)-1])
	if _, err := bundle.Verify(less, nil, trust(t, 1, alice)); err == nil {
		t.Error("a bundle that lost a file is accepted")
	}
}

func TestAttackChangedFile(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := alice.sign(t, build(t, contents(1)))
	_, err := bundle.Verify(change(t, signed, "policy/grants.yaml", func(b []byte) []byte {
		return bytes.Replace(b, []byte("*.sh"), []byte("*.ps"), 1)
	}), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, `"policy/grants.yaml" was changed`)
}

func TestAttackChangedManifestEpoch(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := alice.sign(t, build(t, contents(7)))
	for name, edit := range map[string]func([]byte) []byte{
		"another epoch": func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(`"epoch":7`), []byte(`"epoch":9`)), []byte("prod/7"), []byte("prod/9"))
		},
		"another name": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("prod"), []byte("test")) },
		// OPA's digest covers the meaning: none of these changes it.
		"a second epoch": func(b []byte) []byte { return bytes.Replace(b, []byte(`"epoch":7`), []byte(`"epoch":9,"epoch":7`), 1) },
		"white space":    func(b []byte) []byte { return append(b, '\n') },
	} {
		if _, err := bundle.Verify(change(t, signed, ".manifest", edit), nil, trust(t, 1, alice)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// token takes the token of a signed bundle apart.
func token(t *testing.T, data []byte) (header, payload, signature string) {
	t.Helper()
	for _, e := range takeApart(t, data) {
		if e.Name == ".signatures.json" {
			var doc struct{ Signatures []string }
			if err := json.Unmarshal(e.data, &doc); err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(doc.Signatures[0], ".")
			return parts[0], parts[1], parts[2]
		}
	}
	t.Fatal("no token")
	return "", "", ""
}

func withTokens(t *testing.T, data []byte, more string, tokens ...string) []byte {
	t.Helper()
	return change(t, data, ".signatures.json", func([]byte) []byte {
		return []byte(`{"signatures":["` + strings.Join(tokens, `","`) + `"]` + more + `}`)
	})
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestAttackHMACWithThePublicKey(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "rsa")
	signed := alice.sign(t, build(t, contents(1)))
	_, payload, _ := token(t, signed)
	header := encode(`{"alg":"HS256","kid":"` + alice.key(t).ID() + `"}`)
	mac := hmac.New(sha256.New, alice.pem(t))
	mac.Write([]byte(header + "." + payload))
	forged := withTokens(t, signed, "", header+"."+payload+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
	_, err := bundle.Verify(forged, nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, `"HS256" is refused`)
}

func TestAttackAlgorithmNone(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := alice.sign(t, build(t, contents(1)))
	_, payload, _ := token(t, signed)
	for _, alg := range []string{"none", "None", "", "RS256", "ES384"} {
		header := encode(`{"alg":"` + alg + `","kid":"` + alice.key(t).ID() + `"}`)
		_, err := bundle.Verify(withTokens(t, signed, "", header+"."+payload+"."), nil, trust(t, 1, alice))
		mustRefuse(t, err, bundle.CodeSignature, "is refused")
	}
}

func TestAttackTwoTokens(t *testing.T) {
	t.Parallel()
	alice, eve := newSigner(t, "alice", "p256"), newSigner(t, "eve", "p256")
	unsigned := build(t, contents(1))
	signed := alice.sign(t, unsigned)
	h1, p1, s1 := token(t, signed)
	h2, p2, s2 := token(t, eve.sign(t, unsigned))
	_, err := bundle.Verify(withTokens(t, signed, "", h1+"."+p1+"."+s1, h2+"."+p2+"."+s2), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, "holds 2 tokens")
}

func TestAttackPluginThatVerifies(t *testing.T) {
	t.Parallel()
	alice := newSigner(t, "alice", "p256")
	signed := alice.sign(t, build(t, contents(1)))
	h, p, s := token(t, signed)
	_, err := bundle.Verify(withTokens(t, signed, `,"plugin":"any"`, h+"."+p+"."+s), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, "names a plugin")
}

func TestAttackTokenOfAnotherForm(t *testing.T) {
	t.Parallel()
	alice, bob := newSigner(t, "alice", "p256"), newSigner(t, "bob", "ed25519")
	signed := alice.sign(t, build(t, contents(1)))
	header, payload, signature := token(t, signed)
	files, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	id := alice.key(t).ID()
	list := string(files)
	for name, tok := range map[string]string{
		"no signature":             header + "." + payload + ".",
		"two parts":                header + "." + payload,
		"padding":                  header + "." + payload + "." + signature + "==",
		"a half signature":         header + "." + payload + "." + signature[:43],
		"a signature of zeros":     header + "." + payload + "." + encode(strings.Repeat("\x00", 64)),
		"no key":                   encode(`{"alg":"ES256"}`) + "." + payload + "." + signature,
		"another key":              encode(`{"alg":"ES256","kid":"`+bob.key(t).ID()+`"}`) + "." + payload + "." + signature,
		"another algorithm":        encode(`{"alg":"EdDSA","kid":"`+id+`"}`) + "." + payload + "." + signature,
		"a header field more":      encode(`{"alg":"ES256","kid":"`+id+`","jku":"x"}`) + "." + payload + "." + signature,
		"a critical header":        encode(`{"alg":"ES256","kid":"`+id+`","crit":["b64"]}`) + "." + payload + "." + signature,
		"a scope":                  header + "." + encode(strings.TrimSuffix(list, "}")+`,"scope":"x"}`) + "." + signature,
		"a keyid":                  header + "." + encode(strings.TrimSuffix(list, "}")+`,"keyid":"x"}`) + "." + signature,
		"no files":                 header + "." + encode(`{"files":[]}`) + "." + signature,
		"a file twice":             header + "." + encode(strings.Replace(list, `[{`, `[{"name":".manifest","hash":"","algorithm":"MD5"},{`, 1)) + "." + signature,
		"a weak digest":            header + "." + encode(strings.Replace(list, "SHA-256", "MD5", 1)) + "." + signature,
		"a file that is not there": header + "." + encode(strings.Replace(list, `[{`, `[{"name":"x","hash":"","algorithm":"MD5"},{`, 1)) + "." + signature,
		"white space":              header + "." + encode(list+" ") + "." + signature,
		"no JSON":                  header + "." + encode("files") + "." + signature,
		"no base64":                header + ".*." + signature,
	} {
		_, err := bundle.Verify(withTokens(t, signed, "", tok), nil, trust(t, 1, alice, bob))
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	spaced := change(t, signed, ".signatures.json", func(b []byte) []byte { return append(b, ' ') })
	_, err = bundle.Verify(spaced, nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeSignature, "not in the one form")
}

func TestAttackSignatureOfAStranger(t *testing.T) {
	t.Parallel()
	alice, eve := newSigner(t, "alice", "p256"), newSigner(t, "eve", "p256")
	_, err := bundle.Verify(eve.sign(t, build(t, contents(1))), nil, trust(t, 1, alice))
	mustRefuse(t, err, bundle.CodeUntrusted, "not listed")
}

func TestAttackTarBomb(t *testing.T) {
	t.Parallel()
	// 24 MiB of zeros in 25 KB.
	bomb := putTogether(t, []entry{regular("policy/grants.yaml", make([]byte, 24<<20))})
	var err error
	spent := testenv.CPUTime(t, func() { _, err = bundle.ReadUnverified(bomb) })
	mustRefuse(t, err, bundle.CodeMalformed, "its content has more than")
	if spent > 2*time.Second {
		t.Errorf("it took %s", spent)
	}
	_, err = bundle.ReadUnverified(make([]byte, bundle.MaxSize+1))
	mustRefuse(t, err, bundle.CodeMalformed, "the limit is")
	var many []entry
	for range bundle.MaxFiles + 1 {
		many = append(many, regular("approvals/"+strings.Repeat("a", len(many)/100+1)+string(rune('a'+len(many)%26)), nil))
	}
	if _, err := bundle.ReadUnverified(putTogether(t, many)); err == nil {
		t.Error("very many files are accepted")
	}
}

func TestAttackEntriesThatAreNoFiles(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]byte{
		"symbolic link": tar.TypeSymlink, "hard link": tar.TypeLink, "folder": tar.TypeDir, "FIFO": tar.TypeFifo, "device": tar.TypeChar,
	} {
		link := regular("policy/z.rego", nil)
		link.Typeflag = kind
		if kind == tar.TypeSymlink || kind == tar.TypeLink {
			link.Linkname = "../../etc/passwd"
		}
		_, err := bundle.ReadUnverified(putTogether(t, append(takeApart(t, build(t, contents(1))), link)))
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAttackPathTraversal(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"../x.rego", "/policy/x.rego", "policy/../x.rego", "policy/../../x.rego", "policy//x.rego", "./policy/x.rego", "policy/sub/x.rego",
		`policy\x.rego`, "policy/.x.rego", "policy/x\x00.rego", "policy/\u202ex.rego", "data.json", "policy/data.json", "policy/x.wasm", "library/x.json",
		"patch.json", "plan.json", ".manifest.json", "approvals/.signatures.json", "policy/data.yaml",
	} {
		entries := append(takeApart(t, build(t, contents(1))), regular("x", []byte("{}")))
		entries[len(entries)-1].Name = name
		entries[len(entries)-1].Format = tar.FormatUnknown
		entries[len(entries)-1].ModTime = time.Unix(0, 0)
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		w := tar.NewWriter(zip)
		written := true
		for _, e := range entries {
			h := e.Header
			h.Size = int64(len(e.data))
			if err := w.WriteHeader(&h); err != nil {
				written = false // Go refuses to write a NUL
				break
			}
			if _, err := w.Write(e.data); err != nil {
				t.Fatal(err)
			}
		}
		if !written {
			continue
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := zip.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.ReadUnverified(b.Bytes()); err == nil {
			t.Errorf("%q: accepted", name)
		}
	}
}

func TestAttackDuplicateNames(t *testing.T) {
	t.Parallel()
	entries := takeApart(t, build(t, contents(1)))
	_, err := bundle.ReadUnverified(putTogether(t, append(entries, entries[len(entries)-1])))
	mustRefuse(t, err, bundle.CodeMalformed, "twice, or not in order")
}

// TestAttackAnotherFormOfTheSameContent: what one reader sees and another does
// not has no place to be.
func TestAttackAnotherFormOfTheSameContent(t *testing.T) {
	t.Parallel()
	data := build(t, contents(1))
	again := func(edit func([]entry)) []byte {
		entries := takeApart(t, data)
		edit(entries)
		return putTogether(t, entries)
	}
	var named bytes.Buffer
	zip := gzip.NewWriter(&named)
	zip.Name = "x"
	inner, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bytes.NewBuffer(nil).ReadFrom(inner); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]byte{
		"bytes behind it":       append(bytes.Clone(data), 0),
		"a second gzip member":  append(bytes.Clone(data), data...),
		"a name in the header":  named.Bytes(),
		"another time":          again(func(e []entry) { e[0].ModTime = time.Unix(1, 0) }),
		"another mode":          again(func(e []entry) { e[0].Mode = 0o777 }),
		"an owner":              again(func(e []entry) { e[0].Uname = "root" }),
		"PAX records":           again(func(e []entry) { e[0].Format = tar.FormatPAX; e[0].PAXRecords = map[string]string{"comment": "x"} }),
		"another order":         again(func(e []entry) { e[0], e[1] = e[1], e[0] }),
		"cut short":             data[:len(data)-9],
		"nothing":               nil,
		"no gzip":               []byte("PK\x03\x04"),
		"an empty archive":      putTogether(t, nil),
		"a manifest by itself":  putTogether(t, takeApart(t, data)[:1]),
		"no manifest at all":    putTogether(t, takeApart(t, data)[1:]),
		"a manifest of another": change(t, data, ".manifest", func([]byte) []byte { return []byte(`{"revision":"1"}`) }),
		"a later version":       change(t, data, ".manifest", func(b []byte) []byte { return bytes.Replace(b, []byte(`"version":1`), []byte(`"version":2`), 1) }),
	} {
		if _, err := bundle.ReadUnverified(other); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
