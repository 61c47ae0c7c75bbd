// Package bundle makes, signs and reads policy bundles: one file with grants.yaml,
// the user's Rego, its tests, approvals and the built-in library, in the bundle
// format of Open Policy Agent, which stock opa reads, checks and evaluates.
//
// A bundle has exactly one form: the same content gives the same bytes, and Verify
// and ReadUnverified refuse every other form of it. So there is nothing in a bundle that
// two readers could understand differently, and nothing that is not signed.
//
// Verify promises that as many different people as its Trust demands have signed
// these bytes. It does not look at a clock, at the epoch of an older bundle, or at
// whether the policy compiles: that is for the store that activates it.
//
// docs/formats/bundle.md describes the format.
package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Limits of a bundle.
const (
	// MaxSize is the largest bundle in bytes.
	MaxSize = 32 << 20
	// MaxUnpacked is the largest content, with the headers of its files.
	MaxUnpacked = 128 << 20
	// MaxFiles is how many files a bundle may hold.
	MaxFiles = 1_000
	// maxRatio bounds how much larger than the bundle its content may be, where
	// that is more than freeRatio bytes.
	maxRatio  = 400
	freeRatio = 4 << 20
	// MaxEnvelope is the largest file of detached signatures.
	MaxEnvelope = 64 << 10
	// MaxSigners is how many keys and how many detached signatures there may be.
	MaxSigners = 64
)

// Folders of a bundle.
const (
	libraryFolder   = "library/"
	policyFolder    = "policy/"
	approvalsFolder = "approvals/"
)

// Contents are what a bundle is made of.
type Contents struct {
	Meta Meta
	// Source is the policy. Its Release is not looked at: Meta says it.
	Source policy.Source
	// Approvals are signed statements that come with the policy.
	Approvals []policy.File
}

// Build returns the bundle of these contents, without signatures. It fails with
// *policy.SyntaxError for Rego that cannot be used, and with *RefusedError for
// contents that no bundle can have.
func Build(c Contents) ([]byte, error) {
	if err := c.Meta.check(); err != nil {
		return nil, err
	}
	library, err := policy.Library(c.Source)
	if err != nil {
		return nil, err
	}
	files := []file{{manifestName, c.Meta.encode()}, {policyFolder + policy.GrantsFile, c.Source.Grants}}
	for _, in := range []struct {
		folder string
		files  []policy.File
	}{
		{libraryFolder, library}, {policyFolder, c.Source.Rego}, {policyFolder, c.Source.Tests}, {approvalsFolder, c.Approvals},
	} {
		for _, f := range in.files {
			files = append(files, file{in.folder + f.Name, f.Data})
		}
	}
	data, err := pack(files)
	if err != nil {
		return nil, err
	}
	if _, err := ReadUnverified(data); err != nil { // what cannot be read must not be handed out
		return nil, err
	}
	return data, nil
}

// Bundle is a bundle that was read. It is immutable.
type Bundle struct {
	meta    Meta
	digest  runbook.Digest
	files   []file
	signed  []byte   // content of the signatures file; nil without
	signers []string // owners whose signatures were verified, sorted
}

// ReadUnverified reads a bundle and holds it to its form; it looks at no
// signature. It fails with *RefusedError.
func ReadUnverified(data []byte) (*Bundle, error) {
	files, digest, err := unpack(data)
	if err != nil {
		return nil, err
	}
	b := &Bundle{digest: digest}
	grants := false
	for _, f := range files {
		switch f.name {
		case manifestName:
			if b.meta, err = parseMeta(f.data); err != nil {
				return nil, err
			}
		case signaturesName:
			b.signed = f.data
			continue
		case policyFolder + policy.GrantsFile:
			grants = true
		}
		b.files = append(b.files, f)
	}
	switch {
	case b.meta.Name == "":
		return nil, refuse(CodeMalformed, "it has no %s", manifestName)
	case !grants:
		return nil, refuse(CodeMalformed, "it has no %s%s", policyFolder, policy.GrantsFile)
	}
	return b, nil
}

// Meta says which policy it is.
func (b *Bundle) Meta() Meta { return b.meta }

// Digest is the SHA-256 of the archive inside the gzip stream: it tells bundles
// apart.
func (b *Bundle) Digest() runbook.Digest { return b.digest }

// Signed says whether the bundle holds a signature, good or not.
func (b *Bundle) Signed() bool { return b.signed != nil }

// Signers are the owners whose signatures Verify found good, sorted; none after
// ReadUnverified.
func (b *Bundle) Signers() []string { return slices.Clone(b.signers) }

// Files are the names of the files, sorted.
func (b *Bundle) Files() []string {
	names := make([]string, 0, len(b.files))
	for _, f := range b.files {
		names = append(names, f.name)
	}
	return names
}

// Source is the policy, with the name, the epoch and the times of the bundle.
// Its data must not be changed.
func (b *Bundle) Source() policy.Source {
	src := policy.Source{Release: policy.Release{Name: b.meta.Name, Epoch: b.meta.Epoch, NotBefore: b.meta.NotBefore, Expires: b.meta.Expires}}
	for _, f := range b.in(policyFolder) {
		switch {
		case f.Name == policy.GrantsFile:
			src.Grants = f.Data
		case policy.IsTest(f.Name):
			src.Tests = append(src.Tests, f)
		default:
			src.Rego = append(src.Rego, f)
		}
	}
	return src
}

// Approvals are the signed statements that came with the policy. Their data must
// not be changed.
func (b *Bundle) Approvals() []policy.File { return b.in(approvalsFolder) }

// OwnLibrary says whether the bundle holds the built-in library of this program:
// then stock opa decides on it as this program does. This program never decides
// by the library of a bundle, only by its own.
func (b *Bundle) OwnLibrary() bool {
	own, err := policy.Library(b.Source())
	return err == nil && slices.EqualFunc(own, b.in(libraryFolder), func(x, y policy.File) bool {
		return x.Name == y.Name && string(x.Data) == string(y.Data)
	})
}

func (b *Bundle) in(folder string) []policy.File {
	var files []policy.File
	for _, f := range b.files {
		if name, ok := strings.CutPrefix(f.name, folder); ok {
			files = append(files, policy.File{Name: name, Data: f.data})
		}
	}
	return files
}

// Code says in one stable word why a bundle is refused.
type Code string

// The codes.
const (
	CodeMalformed = Code("bundle-malformed") // not the form of a bundle, or beyond a limit
	CodeUnsigned  = Code("bundle-unsigned")  // no signature
	CodeSignature = Code("bundle-signature") // a signature that is not good, or of a kind that is refused
	CodeUntrusted = Code("bundle-untrusted") // signed by a key that is not listed
	CodeThreshold = Code("bundle-threshold") // signed by too few
)

// RefusedError says why a bundle is refused: it is a fact about the bundle.
type RefusedError struct {
	Code Code
	Msg  string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Msg) }

func refuse(code Code, format string, args ...any) error {
	return &RefusedError{code, fmt.Sprintf(format, args...)}
}
