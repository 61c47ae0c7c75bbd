package runbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// MaxSidecar is the largest sidecar in bytes that is read.
const MaxSidecar = 1 << 20

// DetachedExt is the extension of a detached signature: NAME.sig is for NAME.
const DetachedExt = ".sig"

// BundleExt is the extension of a Sigstore bundle: NAME.sigstore.json is for NAME.
const BundleExt = ".sigstore.json"

// clearSigned begins a document that holds its text. Such a NAME.asc is a runbook
// itself, and no sidecar.
const clearSigned = "-----BEGIN PGP SIGNED MESSAGE-----"

// Sidecar is a file beside a runbook that was read with it: NAME.sig, NAME.sigstore.json, or a
// NAME.asc that is no clear-signed document. What is in it is the verifier's
// question.
type Sidecar struct {
	Name string // the file's own
	Data []byte // nil if Refused
	// Refused says why the file was not read: it is no regular file, or larger
	// than MaxSidecar. Its signatures are not known then, which is not the same
	// as that there are none.
	Refused string
}

// sidecarExts are the extensions of sidecars, in the order in which they are
// read.
var sidecarExts = []string{DetachedExt, SignatureExt, BundleExt}

// IsSidecarName reports whether a file of this name has the name of a sidecar;
// what has never has sidecars itself.
func IsSidecarName(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(sidecarExts, func(ext string) bool { return strings.HasSuffix(lower, ext) })
}

// ReadFileWithSidecars is ReadFile for a runbook with the sidecars beside it.
// Each file is opened and read once. A sidecar that is there and cannot be read
// fails with the error of the file system: it may speak against the runbook.
func ReadFileWithSidecars(path string, follow bool) (*Runbook, error) {
	rb, err := ReadFile(path, follow)
	if err != nil || IsSidecarName(rb.Name()) {
		return rb, err
	}
	for _, ext := range sidecarExts {
		s, is, err := readSidecar(path+ext, follow)
		if err != nil {
			return nil, fmt.Errorf("read the sidecar: %w", err)
		}
		if is {
			rb.sidecars = append(rb.sidecars, s)
		}
	}
	return rb, nil
}

// ParseWithSidecars is Parse for a runbook with sidecars, which it copies. They
// are taken as they are, whatever their names.
func ParseWithSidecars(name string, data []byte, sidecars ...Sidecar) (*Runbook, error) {
	rb, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	for _, s := range sidecars {
		if len(s.Data) > MaxSidecar {
			s.Data, s.Refused = nil, tooLargeSidecar
		}
		s.Data = bytes.Clone(s.Data)
		rb.sidecars = append(rb.sidecars, s)
	}
	return rb, nil
}

// Reasons for which a sidecar is refused.
const (
	notRegularSidecar = "it is not a regular file"
	tooLargeSidecar   = "it is larger than a signature may be"
)

// IsBundle says whether the sidecar is, by its name, a Sigstore bundle.
func (s Sidecar) IsBundle() bool { return strings.HasSuffix(strings.ToLower(s.Name), BundleExt) }

// Sidecars are the files that were read with the runbook. Their data must not be
// changed.
func (r *Runbook) Sidecars() []Sidecar { return slices.Clone(r.sidecars) }

// readSidecar reads one file; is says whether there is a sidecar of this name.
func readSidecar(path string, follow bool) (s Sidecar, is bool, err error) {
	s.Name = filepath.Base(path)
	if len(s.Name) > MaxName { // there is no such file
		return s, false, nil
	}
	f, err := openRegular(path, "", follow)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, false, nil
	case errors.Is(err, ErrNotRegular):
		s.Refused = notRegularSidecar
		return s, true, nil
	case err != nil:
		return s, false, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	info, err := f.Stat()
	switch {
	case err != nil:
		return s, false, err
	case !info.Mode().IsRegular():
		s.Refused = notRegularSidecar
		return s, true, nil
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSidecar+1))
	switch {
	case err != nil:
		return s, false, err
	case filepath.Ext(s.Name) == SignatureExt && bytes.HasPrefix(data, []byte(clearSigned)): // however large
		return s, false, nil
	case len(data) > MaxSidecar:
		s.Refused = tooLargeSidecar
	default:
		s.Data = data
	}
	return s, true, nil
}
