// Package sst reads serialized certificate stores of Windows (.sst), as certmgr,
// Export-Certificate and certutil write them. The form is that of [MS-OSHARED]
// 2.3.2.5 and 2.3.9.1, all numbers little-endian:
//
//	0  u32  version: 0
//	4  u32  "CERT"
//
// then elements, each
//
//	0  u32  id
//	4  u32  encoding: 1, ASN.1
//	8  u32  length of the value
//	12      the value
//
// An element of id 32 is a certificate, 33 a revocation list, 34 a trust list. Any
// other is a property of the next of those, up to id 65535. The store ends with an
// element of id, encoding and length 0, and nothing stands behind that.
//
// Of the properties only those are looked at by which Windows trusts a certificate
// for less than all: an importer that passed over them would trust it for more.
// The package neither parses a certificate nor says what to make of a restriction.
package sst

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a store.
const (
	MaxSize       = 16 << 20 // bytes; that of all roots of Windows has less than 1 MiB
	MaxElements   = 20_000   // properties and items
	MaxItems      = 5_000    // certificates and lists
	maxUsages     = 200
	headSize      = 8
	elementHeader = 12
)

// Identifiers of elements.
const (
	idEnd         = 0
	idCertificate = 32
	idCRL         = 33
	idCTL         = 34
	maxProperty   = 0xFFFF
)

// Properties that restrict what Windows trusts a certificate for (wincrypt.h).
const (
	propUsages          = 9 // the purposes for which it is enabled
	propDisallowedSince = 104
	propDisallowedUsage = 122
	propNotBefore       = 126
	propNotBeforeUsage  = 127
	propDisallowedCA    = 128
)

// Encodings: X509_ASN_ENCODING, alone or with PKCS_7_ASN_ENCODING.
const (
	encodingX509     = 0x00001
	encodingX509PKCS = 0x10001
)

var magic = []byte("\x00\x00\x00\x00CERT")

// Certificate is one certificate of a store.
type Certificate struct {
	// DER is the certificate; it shares memory with the file.
	DER []byte
	// Usages are the purposes for which Windows has it enabled, as object
	// identifiers; nil if it is not restricted. An empty list is no purpose.
	Usages []string
	// Distrusted says that Windows does not trust it any more: since some day, for
	// some purpose, or both.
	Distrusted bool
}

// Store is what a file holds.
type Store struct {
	Certificates []Certificate
	// CRLs are revocation lists, as DER.
	CRLs [][]byte
	// TrustLists is how many certificate trust lists there are.
	TrustLists int
}

// Is reports whether data begins as a store does.
func Is(data []byte) bool { return bytes.HasPrefix(data, magic) }

// Parse reads a store. It fails if anything in it is not as described, whatever
// the bytes are.
func Parse(data []byte) (*Store, error) {
	if !Is(data) {
		return nil, errors.New("not a serialized certificate store")
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes are more than a certificate store may have", len(data))
	}
	s := &Store{}
	var next Certificate // the properties that stand before it
	properties, items := 0, 0
	for at, n := headSize, 0; ; n++ {
		e, err := element(data, at)
		switch {
		case err != nil:
			return nil, err
		case n == MaxElements:
			return nil, fmt.Errorf("more than %d elements", MaxElements)
		case e.id == idEnd:
			return s, e.checkEnd(data, at, properties)
		case e.encoding != encodingX509 && e.encoding != encodingX509PKCS:
			return nil, fmt.Errorf("element at %d: encoding %#x is not ASN.1", at, e.encoding)
		}
		at += elementHeader + len(e.value)
		switch e.id {
		case idCertificate:
			next.DER = e.value
			s.Certificates = append(s.Certificates, next)
		case idCRL:
			s.CRLs = append(s.CRLs, e.value)
		case idCTL:
			s.TrustLists++
		default:
			if properties++; e.id > maxProperty {
				return nil, fmt.Errorf("element at %d: %#x is not the number of a property", at, e.id)
			}
			if err := next.restrict(e); err != nil {
				return nil, fmt.Errorf("element at %d: %w", at, err)
			}
			continue
		}
		if items++; items > MaxItems {
			return nil, fmt.Errorf("more than %d certificates and lists", MaxItems)
		}
		next, properties = Certificate{}, 0
	}
}

type entry struct {
	id, encoding uint32
	value        []byte
}

func element(data []byte, at int) (entry, error) {
	rest := data[at:]
	if len(rest) < elementHeader {
		return entry{}, fmt.Errorf("cut off at %d: the end is missing", at)
	}
	e := entry{id: binary.LittleEndian.Uint32(rest), encoding: binary.LittleEndian.Uint32(rest[4:])}
	size := uint64(binary.LittleEndian.Uint32(rest[8:]))
	if size > uint64(len(rest)-elementHeader) {
		return entry{}, fmt.Errorf("element at %d: its %d bytes go beyond the end", at, size)
	}
	e.value = rest[elementHeader : elementHeader+size : elementHeader+size]
	return e, nil
}

func (e entry) checkEnd(data []byte, at, properties int) error {
	switch {
	case e.encoding != 0 || len(e.value) != 0:
		return fmt.Errorf("element at %d: an end that is none", at)
	case properties > 0:
		return fmt.Errorf("element at %d: properties of nothing before the end", at)
	case len(data) != at+elementHeader:
		return fmt.Errorf("%d bytes behind the end", len(data)-at-elementHeader)
	}
	return nil
}

// restrict takes over a property that restricts.
func (c *Certificate) restrict(e entry) error {
	switch e.id {
	case propDisallowedSince, propDisallowedUsage, propNotBefore, propNotBeforeUsage, propDisallowedCA:
		c.Distrusted = true
	case propUsages:
		var ids []asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(e.value, &ids)
		if err != nil || len(rest) > 0 || len(ids) > maxUsages || c.Usages != nil {
			return errors.New("the purposes of a certificate cannot be read")
		}
		c.Usages = []string{}
		for _, id := range ids {
			c.Usages = append(c.Usages, id.String())
		}
	}
	return nil
}
