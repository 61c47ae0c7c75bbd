package keybox_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runwrit/writ/internal/keybox"
	"github.com/runwrit/writ/internal/testenv"
)

// header makes the first blob.
func header() []byte {
	b := make([]byte, 32)
	binary.BigEndian.PutUint32(b, 32)
	b[4], b[5] = 1, 1
	copy(b[8:], "KBXf")
	return b
}

// blob makes an OpenPGP blob of one key around a keyblock; edit may spoil it
// before its checksum is made.
func blob(version byte, flags uint16, keyblock []byte, edit func([]byte)) []byte {
	entry := 28
	if version == 2 {
		entry = 56
	}
	b := make([]byte, 20+entry+8)
	offset := len(b)
	b = append(b, keyblock...)
	b = append(b, make([]byte, 20)...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	b[4], b[5] = 2, version
	binary.BigEndian.PutUint16(b[6:], flags)
	binary.BigEndian.PutUint32(b[8:], uint32(offset))
	binary.BigEndian.PutUint32(b[12:], uint32(len(keyblock)))
	binary.BigEndian.PutUint16(b[16:], 1)
	binary.BigEndian.PutUint16(b[18:], uint16(entry))
	if edit != nil {
		edit(b)
	}
	sum := sha1.Sum(b[:len(b)-20])
	copy(b[len(b)-20:], sum[:])
	return b
}

func TestReadGivesTheKeyblocksOfBothVersions(t *testing.T) {
	t.Parallel()
	old := blob(1, 0, []byte("with md5"), nil)
	sum := md5.Sum(old[:len(old)-20])
	copy(old[len(old)-20:], append(make([]byte, 4), sum[:]...))
	deleted := blob(1, 0, []byte("deleted"), nil)
	deleted[4] = 0
	x509 := blob(1, 0, []byte("x509"), nil)
	x509[4] = 3
	box := bytes.Join([][]byte{
		header(), blob(1, 0, []byte("first"), nil), deleted, blob(1, 2, []byte("ephemeral"), nil), x509,
		blob(2, 0, []byte("second"), nil), old,
	}, nil)
	blocks, err := keybox.Read(box)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blocks {
		if b.Err != nil {
			t.Errorf("blob at %d: %v", b.Offset, b.Err)
		}
		got = append(got, string(b.Packets))
	}
	if len(got) != 3 || got[0] != "first" || got[1] != "second" || got[2] != "with md5" {
		t.Errorf("keyblocks %q", got)
	}
}

func TestReadReportsABadBlobAndGoesOn(t *testing.T) {
	t.Parallel()
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
	}
	put16 := func(at int, v uint16) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint16(b[at:], v) }
	}
	spoiled := blob(1, 0, []byte("x"), nil)
	spoiled[len(spoiled)-1] ^= 1
	second := header()
	unknown := blob(1, 0, []byte("x"), nil)
	unknown[4] = 9
	short := make([]byte, 39)
	binary.BigEndian.PutUint32(short, 39)
	short[4], short[5] = 2, 1
	for name, bad := range map[string][]byte{
		"a wrong checksum":                     spoiled,
		"secret keys":                          blob(1, 1, []byte("x"), nil),
		"an unknown version":                   blob(3, 0, []byte("x"), nil),
		"an unknown type":                      unknown,
		"a second header":                      second,
		"a blob that is too short":             short,
		"no keys":                              blob(1, 0, []byte("x"), put16(16, 0)),
		"key entries beyond the blob":          blob(1, 0, []byte("x"), put16(16, 0xffff)),
		"key entries that are too small":       blob(2, 0, []byte("x"), put16(18, 28)),
		"a keyblock inside the key entries":    blob(1, 0, []byte("x"), put32(8, 20)),
		"a keyblock beyond the blob":           blob(1, 0, []byte("x"), put32(8, 1000)),
		"a keyblock that wraps around 32 bits": blob(1, 0, []byte("x"), put32(12, 0xffffffff)),
		"an offset that wraps around 32 bits":  blob(1, 0, []byte("x"), put32(8, 0xffffffff)),
		"a keyblock over the checksum":         blob(1, 0, []byte("x"), put32(12, 2)),
		"an empty keyblock":                    blob(1, 0, []byte("x"), put32(12, 0)),
		"more than the limit of a blob":        blob(1, 0, make([]byte, keybox.MaxBlob), nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blocks, err := keybox.Read(bytes.Join([][]byte{header(), bad, blob(1, 0, []byte("good"), nil)}, nil))
			if err != nil || len(blocks) != 2 {
				t.Fatalf("%d blocks, error %v", len(blocks), err)
			}
			if blocks[0].Err == nil || blocks[0].Packets != nil || string(blocks[1].Packets) != "good" {
				t.Errorf("blocks %+v", blocks)
			}
		})
	}
}

func TestReadRefusesWhatIsNoKeybox(t *testing.T) {
	t.Parallel()
	cut := append(header(), blob(1, 0, []byte("x"), nil)[:30]...)
	tiny := append(header(), 0, 0, 0, 4, 2)
	rest := append(header(), 0, 0)
	empty := []byte{0, 0, 0, 5, 0}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                    {nil, keybox.ErrNotKeybox},
		"a SQLite file":              {[]byte("SQLite format 3\x00 and much more than 32 bytes"), keybox.ErrNotKeybox},
		"a blob cut off":             {cut, keybox.ErrTruncated},
		"a blob that cannot move on": {tiny, keybox.ErrTruncated},
		"two loose bytes":            {rest, keybox.ErrTruncated},
		"a flood of empty blobs":     {append(header(), bytes.Repeat(empty, keybox.MaxBlobs)...), keybox.ErrTooMany},
	} {
		if blocks, err := keybox.Read(c.data); !errors.Is(err, c.want) || blocks != nil {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func TestReadFindsAsManyKeyblocksInRealFilesAsAreThere(t *testing.T) {
	t.Parallel()
	// What GnuPG lists is compared in internal/pgpcert; keyblocks of version 5
	// keys are here and are not in its list.
	for name, want := range map[string]int{
		"gnupg--g10_t-keydb-keyring.kbx":                              2,
		"rnp--src_tests_data_keyrings_3_pubring.kbx":                  1,
		"rnp--src_tests_data_test_cli_g10_defkey_g10_pubring.kbx":     11,
		"rnp--src_tests_data_test_cli_g10_defkey_g10_pubring.kbx~":    11,
		"rnp--src_tests_data_test_stream_key_load_g10_pubring.kbx":    12,
		"rnp--src_tests_data_test_stream_key_load_g23-v5_pubring.kbx": 5,
		"rnp--src_tests_data_test_stream_key_load_g23_pubring.kbx":    7,
	} {
		data, err := os.ReadFile(filepath.Join(testenv.Shared(t, "corpus/openpgp/kbx"), name))
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := keybox.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.Err != nil {
				t.Errorf("%s: blob at %d: %v", name, b.Offset, b.Err)
			}
		}
		if len(blocks) != want {
			t.Errorf("%s: %d keyblocks, want %d", name, len(blocks), want)
		}
	}
}

// FuzzRead: no file makes it panic or hang, and what it gives out lies inside
// the file.
func FuzzRead(f *testing.F) {
	f.Add(header())
	f.Add(append(header(), blob(1, 0, []byte("x"), nil)...))
	f.Add(append(header(), blob(2, 2, []byte("x"), nil)...))
	good := blob(1, 0, []byte("x"), nil)
	f.Add(append(header(), slices.Concat(good, header(), good)...))                            // a second header
	f.Add(append(header(), slices.Concat(good[:len(good)-1], []byte{0}, good)...))             // a wrong checksum, then a good blob
	f.Add(append(header(), slices.Concat(good, []byte{0, 0, 0, 5, 0}, good[:len(good)-3])...)) // a deleted blob, then one that is cut off
	shared, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "corpus", "openpgp", "kbx", "*"))
	for _, name := range shared {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := keybox.Read(data)
		if err != nil && blocks != nil {
			t.Fatal("blocks beside the error")
		}
		for _, b := range blocks {
			if (b.Err == nil) != (len(b.Packets) > 0) || len(b.Packets) > len(data) {
				t.Fatalf("block %+v", b)
			}
		}
	})
}
