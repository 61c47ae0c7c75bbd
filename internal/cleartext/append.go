package cleartext

import (
	"bytes"
	"slices"
)

// Append returns the document with more signature packets behind those that it
// has. The text and the packets that are there stay as they are; the armor gets
// the form that New gives it. The Hash headers gain the names that they lack. It
// fails with *SyntaxError where the block or the headers would grow too large.
func (d *Document) Append(signature []byte, hashes ...string) (*Document, error) {
	more := *d
	more.signature = slices.Concat(d.signature, signature)
	if len(more.signature) > MaxSignature {
		return nil, &SyntaxError{Code: BadArmor, Detail: "the signatures together would be larger than a signature block may be"}
	}
	more.armor.row, more.armor.crc = defaultArmorRow, true
	more.headers, more.hashes = slices.Clone(d.headers), slices.Clone(d.hashes)
	for _, name := range hashes {
		if slices.Contains(more.hashes, name) {
			continue
		}
		more.hashes = append(more.hashes, name)
		last := len(more.headers) - 1
		switch {
		case last >= 0 && len(more.headers[last])+len(", ")+len(name) <= MaxHeaderLine:
			more.headers[last] += ", " + name
		case len(more.headers) < MaxHeaders:
			more.headers = append(more.headers, "Hash: "+name)
		default:
			return nil, &SyntaxError{Code: TooManyHeaders, Detail: "there is no room for the hash function in the headers"}
		}
	}
	more.text = bytes.Clone(d.text)
	return &more, nil
}
