package format

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

// MaxCatalogSize is the largest catalog in bytes.
const MaxCatalogSize = cms.MaxCatalogSize

// Finding codes about catalogs.
const (
	codeCatalog        = "catalog"
	codeCatalogIgnored = "catalog-ignored"
	codeNotInCatalog   = "not-in-catalog"
)

// Catalog is a Windows security catalog: a signed list of the digests of files.
type Catalog struct {
	Name string // for messages
	Data []byte
}

// CatalogError says that a catalog cannot be read. Who signed it is another
// question, and is judged with each file that it lists.
type CatalogError struct {
	Name string
	Err  error
}

func (e *CatalogError) Error() string {
	return fmt.Sprintf("catalog %q: no security catalog in DER that can be read: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *CatalogError) Unwrap() error { return e.Err }

// catalog is one that was read. What does not depend on the time is found out
// once for all files.
type catalog struct {
	name   string
	der    []byte
	sd     *cms.SignedData
	listed map[listing]bool
	ways   []way // in which it lists files
	bound  error // whether the signed attributes are of this list

	once    sync.Once
	opinion error
}

// way is how a catalog names a file: by a digest of its bytes or, as its
// signature block would, of its text.
type way struct {
	sip    sip
	digest cms.Digest
	id     cms.OID // of the digest
}

// sip is what a member's digest was made by; the zero value means the bytes.
type sip struct {
	guid    string
	version int
}

type listing struct {
	sip  sip
	hash crypto.Hash
	sum  string
}

func loadCatalogs(list []Catalog) ([]*catalog, error) {
	var catalogs []*catalog
	for _, l := range list {
		sd, members, err := cms.ParseCatalog(l.Data)
		if err != nil {
			return nil, &CatalogError{l.Name, err}
		}
		c := &catalog{name: l.Name, der: l.Data, sd: sd, listed: map[listing]bool{}, bound: sd.CheckMessageDigest()}
		ways := map[way]bool{}
		for _, m := range members {
			digest, known := cms.DigestOf(m.Digest)
			by := sip{}
			if m.Data == cms.OIDSipInfo {
				by = sip{string(m.SIP[:]), m.Version}
			}
			if !known || m.Data != cms.OIDFlatFile && m.Data != cms.OIDSipInfo {
				continue // a file of another kind
			}
			c.listed[listing{by, digest.Hash, string(m.Sum)}] = true
			ways[way{by, digest, m.Digest.ID}] = true
		}
		c.ways = slices.SortedFunc(maps.Keys(ways), func(a, b way) int { // the strongest first
			return cmp.Or(cmp.Compare(b.digest.Hash, a.digest.Hash), cmp.Compare(a.sip.guid, b.sip.guid), cmp.Compare(a.sip.version, b.sip.version))
		})
		catalogs = append(catalogs, c)
	}
	return catalogs, nil
}

// lists returns how the catalog lists the file, and the digest by which it does.
func (c *catalog) lists(f *fileSums) (way, []byte, bool) {
	for _, w := range c.ways {
		for _, sum := range f.sums(w) {
			if c.listed[listing{w.sip, w.digest.Hash, sum}] {
				return w, []byte(sum), true
			}
		}
	}
	return way{}, nil, false
}

// secondOpinion asks about the signature value alone. It is the same for each
// file, and a catalog may be large.
func (c *catalog) secondOpinion(sd *cms.SignedData, leaf *x509.Certificate) error {
	c.once.Do(func() { c.opinion = secondOpinion(c.der, sd, leaf, nil, nil, time.Time{}) })
	return c.opinion
}

// fileSums are the digests of one file, each made when it is asked for.
type fileSums struct {
	script *authscript.Script
	known  map[way][]string
}

func newFileSums(style *authscript.Style, data []byte) *fileSums {
	script := &authscript.Script{Style: style, Encoding: authscript.Detect(data), Content: data}
	return &fileSums{script, map[way][]string{}}
}

// sums are several for a text that can be read in more than one way; such a file
// is not valid, whatever lists it. There are none where the way is not one for
// the type of file. Where a block would stand, which the digest of the Windows
// Script Host includes, a file without one does not say.
func (f *fileSums) sums(w way) []string {
	if known, ok := f.known[w]; ok {
		return known
	}
	sums := []string{}
	style := f.script.Style
	switch {
	case w.sip == sip{}:
		h := w.digest.Hash.New()
		h.Write(f.script.Content)
		sums = append(sums, string(h.Sum(nil)))
	case !style.WSH && w.sip == sip{style.GUID, style.Version}:
		for _, e := range readings(f.script.Encoding, 0) {
			h := w.digest.Hash.New()
			if f.script.WriteSigned(h, e) == nil {
				sums = append(sums, string(h.Sum(nil)))
			}
		}
	}
	f.known[w] = sums
	return sums
}

// checkCatalogs looks for a file without a signature of its own in the catalogs.
// The first one that makes it valid counts, else the first that lists it.
func (c *authenticodeChecker) checkCatalogs(style *authscript.Style, data []byte, now time.Time) verifier.Outcome {
	best := verifier.Outcome{Capable: true, Findings: hiddenFindings(data, authscript.Detect(data))}
	if len(c.catalogs) == 0 {
		return best
	}
	sums := newFileSums(style, data)
	for _, cat := range c.catalogs {
		w, sum, ok := cat.lists(sums)
		if !ok {
			continue
		}
		x := newAuthenticodeExam(style, data, now, c.trust)
		x.catalog = cat
		x.examineListed(sums.script, w, sum)
		if verifier.JudgeChecks(x.signature.Checks) == verifier.Valid {
			return x.outcome()
		}
		if !best.Claimed {
			best = x.outcome()
		}
	}
	if !best.Claimed {
		best.Findings = append(best.Findings, verifier.Finding{Code: codeNotInCatalog, Detail: "no catalog that was given lists the file"})
	}
	return best
}

// examineListed examines the signature of the catalog as one of the file.
func (x *authenticodeExam) examineListed(script *authscript.Script, w way, sum []byte) {
	x.script = script
	x.find(codeCatalog, 0, fmt.Sprintf("the signature is that of the catalog %q, which lists the file", x.catalog.name), "")
	x.passed(verifier.CheckLayout, "no signature block in the file; the catalog %q lists it", x.catalog.name)
	x.passed(verifier.CheckLineEnds, "as they were listed")
	x.recordEncoding(authscript.CheckText(x.style, x.data), "")
	content := &cms.IndirectData{Digest: cms.Algorithm{ID: w.id}, Sum: sum}
	x.examineSigner(x.catalog.der, x.catalog.sd, content, "a catalog", func() { x.checkListing(w) })
}

func (x *authenticodeExam) checkListing(w way) {
	x.signature.Digest = w.digest.Name
	if w.digest.Weak {
		x.failed(verifier.CheckAlgorithms, "the catalog lists the file by %s: collisions can be made", w.digest.Name)
	}
	what := "bytes"
	if (w.sip != sip{}) {
		what = "text"
	}
	x.passed(verifier.CheckContentDigest, "%s of the file's %s is in the catalog %q", w.digest.Name, what, x.catalog.name)
	if err := x.catalog.bound; err != nil {
		x.failed(verifier.CheckContentDigest, "the catalog %q: %v", x.catalog.name, err)
	}
}

// noteCatalogs says that a catalog lists a file which has a signature of its own:
// that one decides, good or bad.
func (c *authenticodeChecker) noteCatalogs(o *verifier.Outcome, style *authscript.Style, data []byte) {
	if len(c.catalogs) == 0 {
		return
	}
	sums := newFileSums(style, data)
	for _, cat := range c.catalogs {
		if _, _, ok := cat.lists(sums); ok {
			o.Findings = append(o.Findings, verifier.Finding{
				Code: codeCatalogIgnored, Detail: fmt.Sprintf("the catalog %q lists the file and was not asked: the file has a signature of its own", cat.name),
			})
		}
	}
}
