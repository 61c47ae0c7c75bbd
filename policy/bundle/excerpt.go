package bundle

import (
	"bytes"
	"strings"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// Excerpt is what a gate reads of a bundle beside the rows of its grants.yaml:
// manifest, Rego and approvals, not compressed. ReadExcerpt reads it.
func (b *Bundle) Excerpt() ([]byte, error) {
	var files []file
	for _, f := range b.files {
		name, isPolicy := strings.CutPrefix(f.name, policyFolder)
		if f.name == manifestName || strings.HasPrefix(f.name, approvalsFolder) || isPolicy && name != policy.GrantsFile && !policy.IsTest(name) {
			files = append(files, f)
		}
	}
	var buffer bytes.Buffer
	err := archive(&buffer, files)
	return buffer.Bytes(), err
}

// ReadExcerpt reads an excerpt, which looks at no signature: the caller has to
// know its digest. Its Source has no grants.
func ReadExcerpt(data []byte) (*Bundle, error) {
	files, err := readArchive(data)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 || files[0].name != manifestName {
		return nil, refuse(CodeMalformed, "the excerpt has no %s", manifestName)
	}
	b := &Bundle{digest: runbook.DigestOf(data), files: files}
	b.meta, err = parseMeta(files[0].data)
	return b, err
}
