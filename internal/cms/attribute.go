package cms

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AddUnsigned returns the signature der with one more value of an unsigned
// attribute of its signer, in DER. Everything that is signed stays as it is. The
// attribute gets the value beside those that it has. It fails with *Error if der
// is not a signature.
func AddUnsigned(der []byte, id OID, value []byte) ([]byte, error) {
	if _, err := Parse(der); err != nil {
		return nil, err
	}
	if err := walk(value); err != nil {
		return nil, err
	}
	name, err := id.encode()
	if err != nil {
		return nil, err
	}
	info := children(read(der).any().body)
	data := children(read(info[1].body).any().body)
	signers := &data[len(data)-1]
	signer := children(read(signers.body).any().body)
	var unsigned []element
	if last := len(signer) - 1; signer[last].tag == tagContext1 {
		unsigned = children(signer[last].body)
		signer = signer[:last]
	}
	attributes := addValue(unsigned, name, value)
	signer = append(signer, build(tagContext1, attributes...))
	*signers = build(tagSet, build(tagSequence, signer...))
	signedData := build(tagSequence, data...)
	return build(tagSequence, info[0], build(tagContext0, signedData)).full, nil
}

// addValue adds to the first attribute of that name, or makes a new one. DER
// wants the members of a set in order.
func addValue(list []element, name, value []byte) []element {
	values := []element{read(value).any()}
	i := slices.IndexFunc(list, func(e element) bool { return bytes.Equal(children(e.body)[0].full, name) })
	if i >= 0 {
		values = append(children(children(list[i].body)[1].body), values...)
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
	inOrder(values)
	attribute := build(tagSequence, element{full: name}, build(tagSet, values...))
	list = append(slices.Clone(list), attribute)
	inOrder(list)
	return list
}

func inOrder(set []element) {
	slices.SortFunc(set, func(a, b element) int { return bytes.Compare(a.full, b.full) })
}

// children are the elements of a body that walk has seen.
func children(body []byte) []element {
	var list []element
	for r := read(body); r.more(); {
		list = append(list, r.any())
	}
	return list
}

// build encodes a constructed element.
func build(tag byte, parts ...element) element {
	var body []byte
	for _, p := range parts {
		body = append(body, p.full...)
	}
	n := len(body)
	full := []byte{tag}
	switch {
	case n < 0x80:
		full = append(full, byte(n))
	case n < 0x100:
		full = append(full, 0x81, byte(n))
	case n < 0x10000:
		full = append(full, 0x82, byte(n>>8), byte(n))
	default:
		full = append(full, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	full = append(full, body...)
	return element{tag: tag, full: full, body: full[len(full)-n:]}
}

// encode returns the identifier as an element.
func (id OID) encode() ([]byte, error) {
	var arcs asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(string(id), ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			return nil, fmt.Errorf("object identifier %q: %w", id, err)
		}
		arcs = append(arcs, n)
	}
	return asn1.Marshal(arcs)
}
