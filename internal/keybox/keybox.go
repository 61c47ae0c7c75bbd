// Package keybox reads GnuPG keyboxes (pubring.kbx), of which it gives out the
// OpenPGP keyblocks as they are. docs/formats/keybox.md describes the format.
//
// A keybox is blobs back to back, all numbers big-endian:
//
//	0  u32  length of the blob, this field included
//	4  u8   type: 0 deleted, 1 header, 2 OpenPGP, 3 X.509
//
// The first blob is a header of 32 bytes: version 1, and "KBXf" at 8. An OpenPGP
// blob goes on with
//
//	 5  u8   version: 1 (fingerprints of 20 bytes) or 2 (of 32, and the keygrip)
//	 6  u16  flags: bit 0 secret, bit 1 ephemeral
//	 8  u32  offset of the keyblock, from the start of the blob
//	12  u32  length of the keyblock
//	16  u16  number of keys
//	18  u16  size of each key's entry
//
// and ends with a SHA-1 checksum over all that precedes it. Deleted and
// ephemeral blobs and X.509 blobs are left out.
//
// The checksum finds accidents; it is no protection against anyone who may
// write the file. The package looks neither at the keyblocks nor at the rest of
// a blob: fingerprints, user IDs and trust that GnuPG noted beside a keyblock
// are never used.
package keybox

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // old blobs have an MD5 checksum; it is a checksum only
	"crypto/sha1" //nolint:gosec // the format's checksum; it is a checksum only
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a keybox.
const (
	MaxBlob  = 5 << 20 // bytes of a blob, GnuPG's own limit
	MaxBlobs = 100_000
)

// Sizes and offsets of the format.
const (
	headSize     = 32
	minBlob      = 5
	blobFields   = 20 // up to the key entries
	checksumSize = 20
	minEntryV1   = 28
	minEntryV2   = 56
)

// Blob types and flags.
const (
	typeDeleted = 0
	typeHeader  = 1
	typeOpenPGP = 2
	typeX509    = 3

	flagSecret    = 1 << 0
	flagEphemeral = 1 << 1
)

// Errors about a keybox as a whole.
var (
	ErrNotKeybox = errors.New("not a keybox")
	ErrTruncated = errors.New("the keybox ends inside a blob")
	ErrTooMany   = errors.New("more blobs than a keybox may have")
)

// Block is one OpenPGP blob.
type Block struct {
	Offset int // of the blob in the file, for messages
	// Packets are the keyblock, ring-trust packets included. They share memory
	// with the file.
	Packets []byte
	// Err says why the blob cannot be used; Packets is nil then.
	Err error
}

// Is reports whether data begins as a keybox does.
func Is(data []byte) bool {
	return len(data) >= headSize && data[4] == typeHeader && data[5] == 1 && bytes.Equal(data[8:12], []byte("KBXf"))
}

// Read returns the OpenPGP blobs of a keybox in their order. A blob that is not
// well made is given out with its error, as long as its end is known. It fails
// with ErrNotKeybox, ErrTruncated or ErrTooMany.
func Read(data []byte) ([]Block, error) {
	if !Is(data) {
		return nil, ErrNotKeybox
	}
	var blocks []Block
	count := 0
	for offset := 0; offset < len(data); {
		rest := data[offset:]
		if len(rest) < minBlob {
			return nil, fmt.Errorf("blob at %d: %w", offset, ErrTruncated)
		}
		size := uint64(binary.BigEndian.Uint32(rest))
		if size < minBlob || size > uint64(len(rest)) {
			return nil, fmt.Errorf("blob at %d: %w", offset, ErrTruncated)
		}
		if count++; count > MaxBlobs {
			return nil, ErrTooMany
		}
		blob := rest[:size]
		switch blob[4] {
		case typeDeleted, typeX509:
		case typeHeader:
			if offset != 0 {
				blocks = append(blocks, Block{Offset: offset, Err: errors.New("a second header")})
			}
		case typeOpenPGP:
			packets, skip, err := readOpenPGP(blob)
			if !skip {
				blocks = append(blocks, Block{Offset: offset, Packets: packets, Err: err})
			}
		default:
			blocks = append(blocks, Block{Offset: offset, Err: fmt.Errorf("a blob of unknown type %d", blob[4])})
		}
		offset += len(blob)
	}
	return blocks, nil
}

// readOpenPGP returns the keyblock of a blob; skip is set for one that GnuPG
// does not use either.
func readOpenPGP(blob []byte) (packets []byte, skip bool, err error) {
	if len(blob) > MaxBlob {
		return nil, false, fmt.Errorf("%d bytes are more than a blob may have", len(blob))
	}
	if len(blob) < blobFields+checksumSize {
		return nil, false, errors.New("too short for an openpgp blob")
	}
	flags := binary.BigEndian.Uint16(blob[6:])
	if flags&flagEphemeral != 0 {
		return nil, true, nil
	}
	if flags&flagSecret != 0 {
		return nil, false, errors.New("a blob of secret keys")
	}
	minEntry := uint64(minEntryV1)
	switch blob[5] {
	case 1:
	case 2:
		minEntry = minEntryV2
	default:
		return nil, false, fmt.Errorf("unknown blob version %d", blob[5])
	}
	keys, entry := uint64(binary.BigEndian.Uint16(blob[16:])), uint64(binary.BigEndian.Uint16(blob[18:]))
	end := uint64(len(blob) - checksumSize)
	if keys == 0 || entry < minEntry || blobFields+keys*entry > end {
		return nil, false, errors.New("the key entries do not fit into the blob")
	}
	offset, size := uint64(binary.BigEndian.Uint32(blob[8:])), uint64(binary.BigEndian.Uint32(blob[12:]))
	if size == 0 || offset < blobFields+keys*entry || offset+size > end {
		return nil, false, errors.New("the keyblock does not lie inside the blob")
	}
	if !checksumFits(blob) {
		return nil, false, errors.New("the checksum is wrong")
	}
	return blob[offset : offset+size : offset+size], false, nil
}

// checksumFits compares the SHA-1 at the end of a blob, or the MD5 with four
// zeros before it that old versions of GnuPG wrote.
func checksumFits(blob []byte) bool {
	body, sum := blob[:len(blob)-checksumSize], blob[len(blob)-checksumSize:]
	if got := sha1.Sum(body); bytes.Equal(got[:], sum) { //nolint:gosec // a checksum
		return true
	}
	old := md5.Sum(body) //nolint:gosec // a checksum
	return bytes.Equal(sum[:4], make([]byte, 4)) && bytes.Equal(old[:], sum[4:])
}
