package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

const (
	manifestName   = ".manifest"
	signaturesName = ".signatures.json"
)

// fileName holds for the names inside the folders: ASCII, so that no two look
// alike, and none of another folder. Lengths are bounded beside the patterns: a
// count within one would cost each start of a program time.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)

const maxFileName = 80

type file struct {
	name string
	data []byte
}

// nameProblem says why a bundle cannot hold a file of that name, "" if it can.
func nameProblem(name string) string {
	if name == manifestName || name == signaturesName {
		return ""
	}
	folder, base := path.Split(name)
	if len(base) > maxFileName || !fileName.MatchString(base) {
		return "is no plain file name"
	}
	switch {
	case folder == libraryFolder && path.Ext(base) == ".rego",
		folder == policyFolder && (base == policy.GrantsFile || path.Ext(base) == ".rego" || policy.IsTest(base)),
		folder == approvalsFolder && isStatement(base):
		return ""
	}
	return "does not belong in a bundle"
}

// isStatement keeps what is no approval out of the folder of approvals: opa would
// take data.json, or x.rego, for a part of the policy.
func isStatement(base string) bool {
	return path.Ext(strings.TrimSuffix(base, runbook.SignatureExt)) == runbook.StatementExt
}

// pack writes the one form of a bundle: a gzip stream of a ustar archive, the
// files in the order of their names, with nothing about them but name and size.
func pack(files []file) ([]byte, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	if len(files) > MaxFiles {
		return nil, refuse(CodeMalformed, "%d files, the limit is %d", len(files), MaxFiles)
	}
	for i, f := range files {
		if bad := nameProblem(f.name); bad != "" {
			return nil, refuse(CodeMalformed, "file %q %s", f.name, bad)
		}
		if i > 0 && files[i-1].name == f.name {
			return nil, refuse(CodeMalformed, "file %q is there twice", f.name)
		}
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(archive(zip, files), zip.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func archive(w io.Writer, files []file) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		if err := t.WriteHeader(header(f)); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return t.Close()
}

func header(f file) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

// unpack reads a bundle that anybody may have made. It returns the digest of the
// archive: the gzip form around it can be varied without any change inside.
func unpack(data []byte) (files []file, digest runbook.Digest, err error) {
	stream, err := inflate(data)
	if err == nil {
		files, err = readArchive(stream)
	}
	return files, runbook.DigestOf(stream), err
}

func readArchive(stream []byte) ([]file, error) {
	var files []file
	t := tar.NewReader(bytes.NewReader(stream))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, refuse(CodeMalformed, "the archive cannot be read behind file %d", len(files))
		}
		if err := checkHeader(files, h, len(stream)); err != nil {
			return nil, err
		}
		content := make([]byte, h.Size)
		if _, err := io.ReadFull(t, content); err != nil {
			return nil, refuse(CodeMalformed, "file %q is cut short", h.Name)
		}
		files = append(files, file{h.Name, content})
	}
	same := &comparer{rest: stream}
	if err := archive(same, files); err != nil || same.differs || len(same.rest) > 0 {
		return nil, refuse(CodeMalformed, "it is not in the one form that a bundle has: order, owner, time, mode, padding")
	}
	return files, nil
}

func checkHeader(before []file, h *tar.Header, stream int) error {
	name := h.Name
	switch {
	case len(before) == MaxFiles:
		return refuse(CodeMalformed, "more than %d files", MaxFiles)
	case h.Typeflag != tar.TypeReg || h.Linkname != "":
		return refuse(CodeMalformed, "%q is not a regular file: links, folders and devices are refused", name)
	case nameProblem(name) != "":
		return refuse(CodeMalformed, "file %q %s", name, nameProblem(name))
	case len(before) > 0 && before[len(before)-1].name >= name:
		return refuse(CodeMalformed, "file %q is there twice, or not in order", name)
	case h.Size < 0 || h.Size > int64(stream):
		return refuse(CodeMalformed, "file %q has %d bytes, more than the archive", name, h.Size)
	}
	return nil
}

// inflate returns the archive in a gzip stream of one member, with nothing before,
// behind or beside it.
func inflate(data []byte) ([]byte, error) {
	if len(data) > MaxSize {
		return nil, refuse(CodeMalformed, "it has %d bytes, the limit is %d", len(data), MaxSize)
	}
	r := bytes.NewReader(data)
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, refuse(CodeMalformed, "it is not in gzip form")
	}
	zip.Multistream(false)
	limit := min(MaxUnpacked, max(freeRatio, maxRatio*len(data)))
	stream, err := io.ReadAll(io.LimitReader(zip, int64(limit)+1))
	switch {
	case len(stream) > limit:
		return nil, refuse(CodeMalformed, "its content has more than %d bytes, for %d bytes of bundle", limit, len(data))
	case err != nil:
		return nil, refuse(CodeMalformed, "its gzip stream is damaged")
	case r.Len() > 0:
		return nil, refuse(CodeMalformed, "%d bytes follow its end", r.Len())
	case zip.Name != "" || zip.Comment != "" || len(zip.Extra) > 0 || !zip.ModTime.IsZero():
		return nil, refuse(CodeMalformed, "its gzip header says more than it may")
	}
	return stream, nil
}

// comparer is a writer that compares with what it is expected to be given.
type comparer struct {
	rest    []byte
	differs bool
}

func (c *comparer) Write(p []byte) (int, error) {
	if c.differs = c.differs || !bytes.HasPrefix(c.rest, p); !c.differs {
		c.rest = c.rest[len(p):]
	}
	return len(p), nil
}
