package format_test

import (
	"crypto"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// TestDeniedContentIsDeniedWhateverVouchesForIt: an old script whose signed digest
// is denied must not come back under a catalog that lists its bytes, nor under a
// signature with another digest algorithm, beside which the one of the entry may
// even stand as a nested one.
func TestDeniedContentIsDeniedWhateverVouchesForIt(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	now, ps := testenv.VectorTime(), vectors.StyleOf(".ps1")
	script := []byte("Write-Output 1\r\n")
	signedBy := func(h crypto.Hash) []byte {
		return vectors.NewMessage(leaf, h, ps.IndirectData(h, ps.Digest(h, script))).Build(t)
	}
	entry := func(name string, h crypto.Hash, content []byte) string {
		return name + ":" + hex.EncodeToString(ps.Digest(h, content))
	}
	for name, c := range map[string]struct {
		file   []byte
		member []byte // of the catalog
	}{
		"listed by its bytes":              {script, vectors.FlatMember(crypto.SHA256, script)},
		"listed by its text":               {script, ps.TextMember(crypto.SHA256, script)},
		"listed by SHA-512 of its text":    {script, ps.TextMember(crypto.SHA512, script)},
		"signed with SHA-256":              {ps.Render(script, signedBy(crypto.SHA256)), nil},
		"signed with SHA-384":              {ps.Render(script, signedBy(crypto.SHA384)), nil},
		"SHA-256 nested inside of SHA-384": {ps.Render(script, nest(t, signedBy(crypto.SHA384), signedBy(crypto.SHA256))), nil},
	} {
		for list, want := range map[string]verifier.Verdict{
			entry("sha256", crypto.SHA256, script):                          verifier.Revoked,
			entry("sha384", crypto.SHA384, script):                          verifier.Revoked,
			entry("sha256", crypto.SHA256, []byte("Write-Output 2\r\n")):    verifier.Valid,
			"x509-spki:" + sha256Hex(root.Cert.RawSubjectPublicKeyInfo[1:]): verifier.Valid,
		} {
			t.Run(name+", denied "+list[:10], func(t *testing.T) {
				t.Parallel()
				a := authenticodeAt()
				if c.member != nil {
					a.Catalogs = []format.Catalog{{Name: "test.cat", Data: vectors.Catalog(t, leaf, now, c.member)}}
				}
				trust, err := verifier.NewTrust(
					verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: root.PEM()},
					verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "list", Data: []byte(list)},
				)
				if err != nil {
					t.Fatal(err)
				}
				v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{a}, Now: testenv.VectorTime})
				if err != nil {
					t.Fatal(err)
				}
				rb, err := runbook.Parse("job.ps1", c.file)
				if err != nil {
					t.Fatal(err)
				}
				if r, err := v.Inspect(t.Context(), rb); err != nil || r.Verdict != want {
					t.Errorf("%s, %v, want %s: %+v", r.Verdict, err, want, r.Signatures)
				}
			})
		}
	}
}

// TestDeniedContentIsDeniedInAWsfThatACatalogLists: the digest of a .wsf includes
// where its block stood, which the file without the block does not say.
func TestDeniedContentIsDeniedInAWsfThatACatalogLists(t *testing.T) {
	t.Parallel()
	root, leaf := cataloguer(t)
	wsf := vectors.StyleOf(".wsf")
	before, behind := []byte("<job>\r\n<script language=\"JScript\">1</script>\r\n"), []byte("</job>\r\n")
	sum := wsf.DigestAround(crypto.SHA256, before, behind)
	script := slices.Concat(before, behind)
	signed := wsf.RenderAround(before, behind, vectors.NewMessage(leaf, crypto.SHA256, wsf.IndirectData(crypto.SHA256, sum)).Build(t))
	catalog := vectors.Catalog(t, leaf, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, script))
	for name, file := range map[string][]byte{"signed": signed, "listed": script} {
		for list, want := range map[string]verifier.Verdict{
			"sha256:" + hex.EncodeToString(sum): verifier.Revoked,
			"sha256:" + sha256Hex(nil):          verifier.Valid,
		} {
			trust, err := verifier.NewTrust(
				verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: root.PEM()},
				verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "list", Data: []byte(list)},
			)
			if err != nil {
				t.Fatal(err)
			}
			a := authenticodeAt()
			a.Catalogs = []format.Catalog{{Name: "test.cat", Data: catalog}}
			v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{a}, Now: testenv.VectorTime})
			if err != nil {
				t.Fatal(err)
			}
			if r := inspect(t, v, "job.wsf", file); r.Verdict != want {
				t.Errorf("%s, denied %s: %s, want %s: %+v", name, list[:12], r.Verdict, want, r.Signatures)
			}
		}
	}
}
