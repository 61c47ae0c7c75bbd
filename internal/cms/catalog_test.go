package cms_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

func catalogSigner(t testing.TB) *vectors.Identity {
	t.Helper()
	return vectors.Issue(t, testenv.VectorTime(), "Catalogs", nil, vectors.CodeSigning)
}

func TestTheMembersOfACatalogAreRead(t *testing.T) {
	t.Parallel()
	id, ps := catalogSigner(t), vectors.StyleOf(".ps1")
	script := []byte("1+1")
	unread := vectors.Seq(vectors.Octets([]byte("tag")))
	der := vectors.Catalog(t, id, testenv.VectorTime(), vectors.FlatMember(crypto.SHA256, script), unread, ps.TextMember(crypto.SHA1, script))
	sd, members, err := cms.ParseCatalog(der)
	if err != nil || len(members) != 2 {
		t.Fatalf("%+v, %v", members, err)
	}
	if err := errors.Join(sd.CheckMessageDigest(), sd.CheckSignature(id.Cert)); err != nil {
		t.Error(err)
	}
	flat, text := members[0], members[1]
	if flat.Data != cms.OIDFlatFile || !bytes.Equal(flat.Sum, vectors.Sum(crypto.SHA256, script)) {
		t.Errorf("%+v", flat)
	}
	if text.Data != cms.OIDSipInfo || string(text.SIP[:]) != ps.GUID || !bytes.Equal(text.Sum, ps.Digest(crypto.SHA1, script)) {
		t.Errorf("%+v", text)
	}
	if _, err := cms.Parse(der); err != nil {
		t.Errorf("as a signature of something else: %v", err)
	}
}

func TestEachAttackOnACatalogIsRefused(t *testing.T) {
	t.Parallel()
	id, at := catalogSigner(t), testenv.VectorTime()
	list := vectors.Seq(vectors.OID(vectors.OIDCatalogList))
	algorithm := vectors.Seq(vectors.OID(vectors.OIDMember), vectors.Null())
	when := vectors.UTCTime(at)
	content := func(parts ...[]byte) []byte { return vectors.Seq(parts...) }
	sum := make([]byte, 32)
	data := vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDFlatFile)), vectors.DigestInfo(crypto.SHA256, sum))
	member := func(attributes ...[]byte) []byte {
		return content(list, when, algorithm, vectors.Seq(vectors.Seq(vectors.Octets(sum), vectors.Set(attributes...))))
	}
	for name, c := range map[string][]byte{
		"another kind of trust list":         content(vectors.Seq(vectors.OID("1.3.6.1.4.1.311.10.3.9")), when, algorithm),
		"two usages":                         content(vectors.Seq(vectors.OID(vectors.OIDCatalogList), vectors.OID(vectors.OIDCatalogList)), when, algorithm),
		"no time":                            content(list, algorithm),
		"nothing behind the usage":           content(list),
		"an end of its own":                  content(list, when, when, algorithm),
		"a version":                          content(vectors.Int(0), list, when, algorithm),
		"members of another kind":            content(list, when, vectors.Seq(vectors.OID("1.2.3")), vectors.Seq()),
		"a field more":                       content(list, when, algorithm, vectors.Seq(), vectors.Context(0), vectors.Null()),
		"a member that is no sequence":       content(list, when, algorithm, vectors.Seq(vectors.Null())),
		"a member without a tag":             content(list, when, algorithm, vectors.Seq(vectors.Seq(vectors.Set()))),
		"a member with a field more":         content(list, when, algorithm, vectors.Seq(vectors.Seq(vectors.Octets(sum), vectors.Set(), vectors.Null()))),
		"a member with two digests":          member(vectors.Attribute(vectors.OIDIndirectData, data), vectors.Attribute(vectors.OIDIndirectData, data)),
		"two digests in one attribute":       member(vectors.Attribute(vectors.OIDIndirectData, data, data)),
		"no digest in the attribute":         member(vectors.Attribute(vectors.OIDIndirectData)),
		"a digest that is no sequence":       member(vectors.Attribute(vectors.OIDIndirectData, vectors.Octets(sum))),
		"a digest of the wrong length":       member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDFlatFile)), vectors.DigestInfo(crypto.SHA256, sum[1:])))),
		"a digest with a field more":         member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDFlatFile)), vectors.DigestInfo(crypto.SHA256, sum), vectors.Null()))),
		"data with a field more":             member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDFlatFile), vectors.Null(), vectors.Null()), vectors.DigestInfo(crypto.SHA256, sum)))),
		"a script of no kind":                member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo)), vectors.DigestInfo(crypto.SHA256, sum)))),
		"a script with a GUID of 17 bytes":   member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.SIPInfo(1, string(make([]byte, 17)))), vectors.DigestInfo(crypto.SHA256, sum)))),
		"a script with a reserved field set": member(vectors.Attribute(vectors.OIDIndirectData, vectors.Seq(vectors.Seq(vectors.OID(vectors.OIDSipInfo), vectors.Seq(vectors.Int(1), vectors.Octets(make([]byte, 16)), vectors.Int(1), vectors.Int(0), vectors.Int(0), vectors.Int(0), vectors.Int(0))), vectors.DigestInfo(crypto.SHA256, sum)))),
		"33 attributes":                      member(bytes.Repeat(vectors.Attribute("1.2.3"), 33)),
		"50,001 members":                     content(list, when, algorithm, vectors.Seq(bytes.Repeat(vectors.Seq(vectors.Octets(nil)), 50_001))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := vectors.NewCatalog(id, at)
			m.Content = c
			var ce *cms.Error
			if _, members, err := cms.ParseCatalog(m.Build(t)); !errors.As(err, &ce) || members != nil {
				t.Errorf("%v, %v", members, err)
			}
		})
	}
	good := vectors.NewCatalog(id, at)
	wrapped := vectors.NewCatalog(id, at).Wrap()
	signature := vectors.NewMessage(id, crypto.SHA256, vectors.StyleOf(".ps1").IndirectData(crypto.SHA256, sum))
	for name, der := range map[string][]byte{
		"bytes behind it":         append(good.Build(t), 0),
		"an OCTET STRING":         wrapped.Build(t),
		"the signature of a file": signature.Build(t),
		"more than 8 MiB":         make([]byte, cms.MaxCatalogSize+1),
		"nothing":                 nil,
	} {
		if _, _, err := cms.ParseCatalog(der); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

// TestALargeCatalogIsReadAtOnce: a bound on time as much as on size.
func TestALargeCatalogIsReadAtOnce(t *testing.T) {
	t.Parallel()
	at := testenv.VectorTime()
	members := bytes.Repeat(vectors.Seq(vectors.Octets(make([]byte, 32))), 50_000)
	der := vectors.Catalog(t, catalogSigner(t), at, members, vectors.Seq()[:0])
	took := testenv.CPUTime(t, func() {
		if _, _, err := cms.ParseCatalog(der); err != nil {
			t.Error(err)
		}
	})
	if took > 30*time.Second {
		t.Errorf("%d bytes took %v", len(der), took)
	}
}

// FuzzParseCatalog: whatever the bytes, an answer and no panic, and what is read
// verifies only as what was signed.
func FuzzParseCatalog(f *testing.F) {
	id, at, ps := catalogSigner(f), testenv.VectorTime(), vectors.StyleOf(".ps1")
	script := []byte("1+1")
	good := vectors.Catalog(f, id, at, vectors.FlatMember(crypto.SHA256, script), ps.TextMember(crypto.SHA256, script))
	f.Add(good)
	f.Add(vectors.Catalog(f, id, at))
	f.Add(vectors.NewMessage(id, crypto.SHA256, ps.IndirectData(crypto.SHA256, make([]byte, 32))).Build(f))
	_, want, err := cms.ParseCatalog(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		sd, members, err := cms.ParseCatalog(der)
		if err != nil {
			var ce *cms.Error
			if !errors.As(err, &ce) || members != nil {
				t.Errorf("%v, %v", members, err)
			}
			return
		}
		if len(members) > cms.MaxCatalogMembers {
			t.Error("too many members")
		}
		if sd.CheckMessageDigest() == nil && sd.CheckSignature(id.Cert) == nil && len(members) != 0 && len(members) != len(want) {
			t.Errorf("a list that nobody signed: %x", der)
		}
	})
}
