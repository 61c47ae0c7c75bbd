package index

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// The file is: the pages of the database, the SHA-256 of each page, and a footer.
const (
	pageSize = 4096
	// maxPages is 8 GiB: more is not read, and not built.
	maxPages   = 2 << 20
	hashSize   = sha256.Size
	footerSize = 8 + 3*hashSize
)

var magic = [8]byte{'w', 'r', 'i', 't', 'i', 'd', 'x', 1}

// Ref names one index by its content.
type Ref struct {
	// Grants is the digest of the grants.yaml that it was built from.
	Grants runbook.Digest `json:"grants"`
	// Sum is the digest of all that it holds.
	Sum runbook.Digest `json:"sum"`
}

// trailer is what stands behind the pages.
type trailer struct {
	hashes []byte // of each page
	grants runbook.Digest
}

// footer is the end of the file: what it is, of which rows, of which
// grants.yaml, and the digest of the hashes of the pages.
func (t *trailer) footer() []byte {
	version := runbook.DigestOf([]byte(policy.RowsVersion()))
	pages := sha256.Sum256(t.hashes)
	return slices.Concat(magic[:], version[:], t.grants[:], pages[:])
}

// readTrailer reads what stands behind the pages, of a file of that size, if it
// is what ref names.
func readTrailer(r io.ReaderAt, size int64, ref Ref) (*trailer, error) {
	pages := (size - footerSize) / (pageSize + hashSize)
	if pages < 1 || pages > maxPages || size != pages*(pageSize+hashSize)+footerSize {
		return nil, errors.New("has an odd size: it is cut, or no index")
	}
	footer := make([]byte, footerSize)
	if _, err := r.ReadAt(footer, size-footerSize); err != nil {
		return nil, err
	}
	version := runbook.DigestOf([]byte(policy.RowsVersion()))
	switch {
	case !bytes.Equal(footer[:8], magic[:]):
		return nil, errors.New("is no index of a policy")
	case runbook.DigestOf(footer) != ref.Sum:
		return nil, errors.New("is not the index that was activated")
	case !bytes.Equal(footer[8:8+hashSize], version[:]):
		return nil, errors.New("was made by another version of writ: activate the policy again")
	}
	t := &trailer{hashes: make([]byte, pages*hashSize), grants: runbook.Digest(footer[8+hashSize : 8+2*hashSize])}
	if t.grants != ref.Grants {
		return nil, errors.New("is the index of another grants.yaml")
	}
	if _, err := r.ReadAt(t.hashes, pages*pageSize); err != nil {
		return nil, err
	}
	if sha256.Sum256(t.hashes) != [hashSize]byte(footer[8+2*hashSize:]) {
		return nil, errors.New("is damaged: the digests of its pages are not those that were written")
	}
	return t, nil
}
