// Package runbook holds a script as it was read: its name, its kind, its exact
// bytes and their SHA-256 digest, taken once; and what was read with it, signatures
// in files beside it (Sidecar) or all files of its project (Set).
//
// A Runbook promises only that it does not change after it was read. It says nothing
// about signatures or trust, and it never touches the network.
package runbook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"unicode/utf8"
)

// Limits that hold for every runbook, whatever its format.
const (
	// MaxSize is the largest runbook in bytes that writ reads.
	MaxSize = 16 << 20
	// MaxName is the longest file name in bytes.
	MaxName = 255
)

// Digest is a SHA-256 digest. The zero value stands for "no digest".
type Digest [sha256.Size]byte

// DigestOf returns the SHA-256 digest of data.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// worthWaitingFor is the size from which on a digest is taken beside other work.
const worthWaitingFor = 256 << 10

// DigestLater returns a function that returns the digest of data, which must not
// change any more. The digest of large data is begun at once on another core.
func DigestLater(data []byte) func() Digest {
	if len(data) < worthWaitingFor {
		digest := DigestOf(data)
		return func() Digest { return digest }
	}
	digest := sync.OnceValue(func() Digest { return DigestOf(data) })
	go digest()
	return digest
}

// IsZero reports whether d is the zero value, that is: no digest at all.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns d as 64 lower-case hexadecimal digits, or "" for the zero value.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText implements encoding.TextMarshaler in the form of String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler for the form of String.
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// ParseDigest reads the form that String writes; "" gives the zero value.
func ParseDigest(s string) (Digest, error) {
	if s == "" {
		return Digest{}, nil
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != sha256.Size || s != strings.ToLower(s) {
		return Digest{}, fmt.Errorf("sha-256 digest %q: want 64 lower-case hexadecimal digits", s)
	}
	return Digest(raw), nil
}

// SizeError says that the input is larger than MaxSize.
type SizeError struct {
	Name string
	// Size in bytes, or -1 where reading stopped at the limit.
	Size int64
}

func (e *SizeError) Error() string {
	if e.Size < 0 {
		return fmt.Sprintf("%q is larger than the limit of %d bytes", e.Name, MaxSize)
	}
	return fmt.Sprintf("%q has %d bytes, the limit is %d", e.Name, e.Size, MaxSize)
}

// ErrName says that a name is empty, a path, too long, or not printable UTF-8.
var ErrName = errors.New("not a plain file name")

// Runbook is one script as it was read, with the sidecars that were read with
// it. It is immutable: only the functions here that read or parse make one.
// The zero value holds nothing and verifies as nothing.
type Runbook struct {
	name     string
	path     string
	kind     Kind
	digest   func() Digest
	data     []byte
	sidecars []Sidecar
	set      *Set
}

// Parse takes a copy of data under the given file name (a base name, no path).
// It fails with *SizeError over MaxSize and with ErrName for a name that is not
// a plain file name. Any bytes within the limit are accepted: what they mean is
// the verifier's question.
func Parse(name string, data []byte) (*Runbook, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, &SizeError{Name: name, Size: int64(len(data))}
	}
	return newRunbook(name, bytes.Clone(data)), nil
}

// newRunbook takes data over.
func newRunbook(name string, data []byte) *Runbook {
	return &Runbook{name: name, kind: KindOf(name), digest: DigestLater(data), data: data}
}

// Text returns the runbook that r, a document, holds: text, whose digest is known,
// under the name without ".asc". It keeps text, which must not change any more.
func (r *Runbook) Text(text []byte, digest Digest) *Runbook {
	name := PayloadName(r.name)
	return &Runbook{name: name, kind: KindOf(name), digest: func() Digest { return digest }, data: text}
}

func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("runbook name %q: %w", name, ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("runbook name of %d bytes: %w", len(name), ErrName)
	case strings.ContainsAny(name, "/\\\x00"), !utf8.ValidString(name):
		return fmt.Errorf("runbook name %q: %w", name, ErrName)
	}
	for _, r := range name {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return fmt.Errorf("runbook name %q: %w", name, ErrName)
		}
	}
	return nil
}

// Name is the file name, without a path.
func (r *Runbook) Name() string { return r.name }

// Path is where the file lay when ReadFile read it: absolute and clean, links
// resolved, with slashes; "" where that is not known.
func (r *Runbook) Path() string { return r.path }

// Kind is what the file name says the runbook is.
func (r *Runbook) Kind() Kind { return r.kind }

// Digest is the SHA-256 of the exact bytes.
func (r *Runbook) Digest() Digest {
	if r.digest == nil {
		return Digest{}
	}
	return r.digest()
}

// Size is the number of bytes.
func (r *Runbook) Size() int { return len(r.data) }

// Bytes returns a copy of the exact bytes.
func (r *Runbook) Bytes() []byte { return bytes.Clone(r.data) }

// View calls f with the bytes themselves, sparing the copy. f must not change
// them, nor hand them to anyone who might.
func (r *Runbook) View(f func(data []byte)) { f(r.data) }

// SignatureExt is the extension of a clear-signed document: NAME.asc holds the
// runbook NAME.
const SignatureExt = ".asc"

// PayloadName is the name of the runbook inside: the name without ".asc".
func PayloadName(name string) string {
	if ext := path.Ext(name); strings.EqualFold(ext, SignatureExt) && len(name) > len(ext) {
		return name[:len(name)-len(ext)]
	}
	return name
}
