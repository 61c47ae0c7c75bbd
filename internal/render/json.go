package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// schemaVersion is the "version" of every JSON document of writ. It changes when
// a key changes its meaning or goes away, not when one is added.
const schemaVersion = 1

// jsonRenderer writes JSON: arrays are never null, times are RFC 3339 in UTC or
// null for none, a digest that does not exist is "".
type jsonRenderer struct{}

type jsonSigner struct {
	IDs       []string   `json:"ids"`
	Display   string     `json:"display"`
	Issuer    string     `json:"issuer"`
	KeyID     string     `json:"key_id"`
	Algorithm string     `json:"algorithm"`
	NotAfter  *time.Time `json:"not_after"`
}

type jsonSignature struct {
	Format         string           `json:"format"`
	Verdict        verifier.Verdict `json:"verdict"`
	TrustStore     string           `json:"trust_store,omitempty"`
	Nested         bool             `json:"nested,omitempty"`
	Sidecar        string           `json:"sidecar,omitempty"`
	Signer         jsonSigner       `json:"signer"`
	SignedAt       *time.Time       `json:"signed_at"`
	SignedAtSource string           `json:"signed_at_source"`
	Claims         *verifier.Claims `json:"claims,omitempty"`
	// Sigstore is what the certificate of a keyless signature says.
	Sigstore *verifier.Sigstore `json:"sigstore,omitempty"`
	Checks   []verifier.Check   `json:"checks"`
}

type jsonFinding struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Detail string `json:"detail"`
}

type jsonFile struct {
	Path          string           `json:"path"`
	Verdict       verifier.Verdict `json:"verdict"`
	Format        string           `json:"format"`
	SHA256        string           `json:"sha256"`
	PayloadSHA256 string           `json:"payload_sha256"`
	Signatures    []jsonSignature  `json:"signatures"`
	Findings      []jsonFinding    `json:"findings"`
	// Manifest is left out of a file that was judged by itself.
	Manifest *jsonManifest `json:"manifest,omitempty"`
	// Repair is how "writ repair" restores the file, left out where it does not.
	Repair string `json:"repair,omitempty"`
}

// jsonManifest says as a part of which project a file was judged.
type jsonManifest struct {
	SHA256         string `json:"sha256"`
	DocumentSHA256 string `json:"document_sha256"`
	Entry          string `json:"entry"`
	Files          int    `json:"files"`
}

func (jsonRenderer) Verify(w io.Writer, files []File) error {
	doc := struct {
		Version int        `json:"version"`
		Files   []jsonFile `json:"files"`
	}{schemaVersion, make([]jsonFile, 0, len(files))}
	for _, f := range files {
		doc.Files = append(doc.Files, newJSONFile(f))
	}
	return writeJSON(w, doc)
}

func (jsonRenderer) Inspect(w io.Writer, i Inspection) error {
	type repair struct {
		Code string `json:"code"`
		Fix  string `json:"fix"`
	}
	doc := struct {
		Version int       `json:"version"`
		Judged  bool      `json:"signers_judged"`
		At      time.Time `json:"at"`
		Name    string    `json:"name"`
		Kind    string    `json:"kind"`
		Size    int       `json:"size"`
		File    jsonFile  `json:"file"`
		Repairs []repair  `json:"repairs"`
	}{
		Version: schemaVersion, Judged: i.Judged, At: i.Report.At.UTC(), Name: i.Report.Name,
		Kind: i.Report.Kind.String(), Size: i.Report.Size, File: newJSONFile(i.File), Repairs: []repair{},
	}
	for _, f := range i.Report.Findings {
		if f.Fix != "" {
			doc.Repairs = append(doc.Repairs, repair{f.Code, f.Fix})
		}
	}
	return writeJSON(w, doc)
}

func (jsonRenderer) Audit(w io.Writer, r *audit.Result) error {
	type source struct {
		Path     string `json:"path"`
		SignedAs string `json:"signed_as"`
	}
	type note struct {
		Path   string `json:"path"`
		Detail string `json:"detail"`
	}
	doc := struct {
		Version    int            `json:"version"`
		AllValid   bool           `json:"all_valid"`
		Counts     map[string]int `json:"counts"`
		Repairable int            `json:"repairable"`
		Files      []jsonFile     `json:"files"`
		Sources    []source       `json:"sources"`
		Skipped    []note         `json:"skipped"`
		Problems   []note         `json:"problems"`
		// Within and Expiring are left out where nobody asked.
		Within   string       `json:"expires_within,omitempty"`
		Expiring []jsonExpiry `json:"expiring,omitzero"`
	}{
		Version: schemaVersion, AllValid: r.AllValid(), Counts: map[string]int{}, Repairable: r.Repairable(),
		Files: []jsonFile{}, Sources: []source{}, Skipped: []note{}, Problems: []note{},
	}
	for v, n := range r.Counts() {
		doc.Counts[v.String()] = n
	}
	for _, e := range r.Entries {
		doc.Files = append(doc.Files, newJSONFile(File{e.Path, e.Report}))
	}
	for _, s := range r.Sources {
		doc.Sources = append(doc.Sources, source{s.Path, s.SignedAs})
	}
	for _, s := range r.Skipped {
		doc.Skipped = append(doc.Skipped, note{s.Path, s.Reason})
	}
	for _, p := range r.Problems {
		doc.Problems = append(doc.Problems, note{p.Path, p.Err.Error()})
	}
	if r.Within > 0 {
		doc.Within, doc.Expiring = r.Within.String(), newJSONExpiring(r.Expiring)
	}
	return writeJSON(w, doc)
}

func (jsonRenderer) Decision(w io.Writer, d policy.Decision) error { return writeJSON(w, d) }

func (jsonRenderer) Explanation(w io.Writer, x policy.Explanation) error {
	return writeJSON(w, struct {
		Version int `json:"version"`
		policy.Explanation
	}{schemaVersion, x})
}

func (jsonRenderer) PolicyProblems(w io.Writer, problems []*policy.FileError) error {
	type problem struct {
		File   string `json:"file"`
		Line   int    `json:"line"`
		Column int    `json:"column"`
		Field  string `json:"field"`
		Detail string `json:"detail"`
	}
	doc := struct {
		Version  int       `json:"version"`
		Usable   bool      `json:"usable"`
		Problems []problem `json:"problems"`
	}{schemaVersion, len(problems) == 0, []problem{}}
	for _, p := range problems {
		doc.Problems = append(doc.Problems, problem{p.File, p.Line, p.Column, p.Field, p.Msg})
	}
	return writeJSON(w, doc)
}

func (jsonRenderer) Chain(w io.Writer, c Chain) error {
	type damage struct {
		File    string         `json:"file"`
		Line    int            `json:"line"`
		Seq     uint64         `json:"seq"`
		Problem ledger.Problem `json:"problem"`
		Detail  string         `json:"detail"`
	}
	doc := struct {
		Version int        `json:"version"`
		Path    string     `json:"path"`
		Intact  bool       `json:"intact"`
		Records uint64     `json:"records"`
		First   *time.Time `json:"first"`
		Last    *time.Time `json:"last"`
		Head    string     `json:"head"`
		Repairs uint64     `json:"repairs"`
		// Segments is how many files there are; Checkpoints how many hold, and Signed the
		// record that the last of them is of.
		Segments    int     `json:"segments"`
		Checkpoints uint64  `json:"checkpoints"`
		Signed      uint64  `json:"signed"`
		Damage      *damage `json:"damage"`
	}{
		Version: schemaVersion, Path: c.Path, Intact: c.Damage == nil, Records: c.Summary.Records,
		First: timeOrNull(c.Summary.First), Last: timeOrNull(c.Summary.Last),
		Head: c.Summary.Head.String(), Repairs: c.Summary.Repairs,
		Segments: c.Summary.Segments, Checkpoints: c.Summary.Checkpoints, Signed: c.Summary.Signed,
	}
	if c.Damage != nil {
		doc.Damage = &damage{c.Damage.File, c.Damage.Line, c.Damage.Seq, c.Damage.Problem, c.Damage.Detail}
	}
	return writeJSON(w, doc)
}

type jsonRecords struct {
	w     io.Writer
	begun bool
}

func (jsonRenderer) Records(w io.Writer) RecordWriter { return &jsonRecords{w: w} }

func (j *jsonRecords) Write(r ledger.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	before := ",\n"
	if !j.begun {
		before = j.begin()
	}
	_, err = fmt.Fprintf(j.w, "%s%s", before, escapeJSON(line))
	return err
}

func (j *jsonRecords) begin() string {
	j.begun = true
	return fmt.Sprintf("{\"version\":%d,\"records\":[\n", schemaVersion)
}

func (j *jsonRecords) Close() error {
	end := "]}\n"
	if !j.begun {
		end = j.begin() + end
	}
	_, err := io.WriteString(j.w, end)
	return err
}

func (jsonRenderer) Version(w io.Writer, v Version) error { return writeJSON(w, v) }

func newJSONFile(f File) jsonFile {
	out := jsonFile{
		Path: f.Path, Verdict: f.Report.Verdict, Format: f.Report.Format,
		SHA256: f.Report.File.String(), PayloadSHA256: f.Report.Payload.String(),
		Signatures: make([]jsonSignature, 0, len(f.Report.Signatures)),
		Findings:   make([]jsonFinding, 0, len(f.Report.Findings)),
		Repair:     f.Report.Repair,
	}
	if set := f.Report.Set; set != nil {
		out.Manifest = &jsonManifest{set.List.String(), set.Manifest.String(), set.Entry, set.Files}
	}
	for _, s := range f.Report.Signatures {
		out.Signatures = append(out.Signatures, jsonSignature{
			Format: s.Format, Verdict: s.Verdict, TrustStore: s.TrustStore, Nested: s.Nested, Sidecar: s.Sidecar,
			Signer: jsonSigner{
				IDs: notNil(s.Signer.IDs), Display: s.Signer.Display, Issuer: s.Signer.Issuer,
				KeyID: s.Signer.KeyID, Algorithm: s.Signer.Algorithm, NotAfter: timeOrNull(s.Signer.NotAfter),
			},
			SignedAt: timeOrNull(s.SignedAt), SignedAtSource: s.SignedAtSource, Claims: s.Claims, Sigstore: s.Sigstore, Checks: notNil(s.Checks),
		})
	}
	for _, n := range f.Report.Findings {
		out.Findings = append(out.Findings, jsonFinding{n.Code, n.Line, n.Detail})
	}
	return out
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// timeOrNull is nil for the zero time and for a year that RFC 3339 cannot hold:
// a certificate may say what it likes.
func timeOrNull(t time.Time) *time.Time {
	t = t.UTC().Truncate(time.Second)
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}

// writeJSON writes one indented document. Characters that are not visible are
// written by their number, also where JSON would allow them: a terminal or a
// log may be the reader.
func writeJSON(w io.Writer, doc any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON replaces invisible characters of valid JSON by \u escapes, and what
// would be a command to a pipeline. Beyond ASCII they can only stand inside
// strings, where that means the same, and so can "##".
func escapeJSON(doc []byte) []byte {
	out := make([]byte, 0, len(doc))
	whole := doc
	for len(doc) > 0 {
		r, size := utf8.DecodeRune(doc)
		switch {
		case r == '#' && opensCommand(whole, len(whole)-len(doc)):
			out = append(out, `\u0023`...)
		case r == '\n' || r < 0x7f || visible(r):
			out = append(out, doc[:size]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		doc = doc[size:]
	}
	return out
}
