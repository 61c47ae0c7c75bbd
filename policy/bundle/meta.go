package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/runwrit/writ/internal/strictjson"
	"github.com/runwrit/writ/verifier"
)

// Meta says which policy a bundle is, and when it may be used.
type Meta struct {
	// Name tells policies apart: a store takes bundles of one name only.
	Name string
	// Epoch counts the bundles of one name up, from 1.
	Epoch uint64
	// NotBefore and Expires bound when the policy may decide: from NotBefore on,
	// until before Expires. Both are whole seconds, and both are required: a policy
	// without an end could be held back from a worker for ever.
	NotBefore, Expires time.Time
	// MinTool is the oldest version of writ that may use the bundle, such as
	// "1.4"; "" for any.
	MinTool string
}

const (
	maxName     = 64
	maxEpoch    = 1<<32 - 1
	maxManifest = 4 << 10
)

var metaName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// manifest is the file .manifest. The form of its first part is OPA's.
type manifest struct {
	Revision    string   `json:"revision"`
	Roots       []string `json:"roots"`
	RegoVersion int      `json:"rego_version"`
	Metadata    struct {
		Writ metaDoc `json:"writ"`
	} `json:"metadata"`
}

type metaDoc struct {
	Version   int    `json:"version"`
	Name      string `json:"name"`
	Epoch     uint64 `json:"epoch"`
	NotBefore string `json:"not_before"`
	Expires   string `json:"expires"`
	MinTool   string `json:"min_tool"`
}

// check fails with *RefusedError.
func (m *Meta) check() error {
	const last = 2200
	switch {
	case len(m.Name) > maxName || !metaName.MatchString(m.Name):
		return refuse(CodeMalformed, `the name %q: want at most 64 of a-z, 0-9 and ". _ -", beginning with a letter or digit`, m.Name)
	case m.Epoch == 0 || m.Epoch > maxEpoch:
		return refuse(CodeMalformed, "the epoch %d: want a number from 1 to %d", m.Epoch, maxEpoch)
	case m.NotBefore.IsZero() || m.Expires.IsZero() || !m.NotBefore.Before(m.Expires):
		return refuse(CodeMalformed, "it expires before it begins, or does not say when")
	case m.NotBefore.Year() < 2000 || m.Expires.Year() > last || m.NotBefore.Nanosecond() != 0 || m.Expires.Nanosecond() != 0:
		return refuse(CodeMalformed, "its times are not whole seconds between 2000 and %d", last)
	}
	if m.MinTool != "" {
		if _, err := verifier.ParseVersion(m.MinTool); err != nil {
			return refuse(CodeMalformed, "the min_tool %q: %v", m.MinTool, err)
		}
	}
	return nil
}

// encode writes the one form of the manifest.
func (m *Meta) encode() []byte {
	doc := manifest{Revision: m.Name + "/" + strconv.FormatUint(m.Epoch, 10), Roots: []string{"writ"}, RegoVersion: 1}
	doc.Metadata.Writ = metaDoc{
		Version: 1, Name: m.Name, Epoch: m.Epoch,
		NotBefore: m.NotBefore.UTC().Format(time.RFC3339), Expires: m.Expires.UTC().Format(time.RFC3339), MinTool: m.MinTool,
	}
	data, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("encode a manifest of strings and numbers: %v", err))
	}
	return data
}

// parseMeta accepts what encode writes, byte for byte: OPA's signature covers the
// meaning of the manifest only, and two readers could see two in other bytes.
func parseMeta(data []byte) (Meta, error) {
	var doc manifest
	if err := strictjson.Decode(data, maxManifest, &doc); err != nil {
		return Meta{}, refuse(CodeMalformed, "%s: not a manifest of writ: %v", manifestName, err)
	}
	w := &doc.Metadata.Writ
	if w.Version != 1 {
		return Meta{}, refuse(CodeMalformed, "%s: version %d of the metadata is not known to this writ", manifestName, w.Version)
	}
	m := Meta{Name: w.Name, Epoch: w.Epoch, MinTool: w.MinTool}
	var err error
	if m.NotBefore, err = time.Parse(time.RFC3339, w.NotBefore); err != nil {
		return Meta{}, refuse(CodeMalformed, "%s: not_before is no time", manifestName)
	}
	if m.Expires, err = time.Parse(time.RFC3339, w.Expires); err != nil {
		return Meta{}, refuse(CodeMalformed, "%s: expires is no time", manifestName)
	}
	if err := m.check(); err != nil {
		return Meta{}, err
	}
	if !bytes.Equal(m.encode(), data) {
		return Meta{}, refuse(CodeMalformed, "%s is not in the one form that it has", manifestName)
	}
	return m, nil
}
