package pgpcert_test

import (
	"bytes"
	"crypto/rand"
	endian "encoding/binary"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/pgpcert"
)

// number is an odd MPI of that many bits.
func number(t testing.TB, bits int) []byte {
	t.Helper()
	b := make([]byte, bits/8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	b[0] |= 0x80
	b[len(b)-1] |= 1
	return append(endian.BigEndian.AppendUint16(nil, uint16(bits)), b...)
}

func keyPacket(algorithm byte, numbers ...[]byte) []byte {
	body := append([]byte{4, 0x60, 0, 0, 0, algorithm}, bytes.Join(numbers, nil)...)
	return rawPacket(6, body)
}

func rawPacket(tag byte, body []byte) []byte {
	return append(endian.BigEndian.AppendUint32([]byte{0xc0 | tag, 0xff}, uint32(len(body))), body...)
}

// TestKeysThatWouldKeepAVerifierBusyAreNotUsed: a check under the largest of
// these takes a second, and a certificate may demand 2,000 of them.
func TestKeysThatWouldKeepAVerifierBusyAreNotUsed(t *testing.T) {
	t.Parallel()
	exponent := []byte{0, 17, 1, 0, 1}
	for name, c := range map[string]struct {
		key  []byte
		want string
	}{
		"RSA of 8192 bits is used":      {keyPacket(1, number(t, 8192), exponent), ""},
		"RSA of 8200 bits":              {keyPacket(1, number(t, 8200), exponent), "rsa8200 is larger"},
		"DSA of 3072 bits is read":      {keyPacket(17, number(t, 3072), number(t, 256), number(t, 3064), number(t, 3064)), ""},
		"DSA of 40000 bits":             {keyPacket(17, number(t, 40000), number(t, 2048), number(t, 39992), number(t, 39992)), "dsa40000 is larger"},
		"DSA with a subgroup like that": {keyPacket(17, number(t, 4096), number(t, 2048), number(t, 4088), number(t, 4088)), "dsa4096 is larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := pgpcert.NewLoader().Add("ring.pgp", c.key)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestACertificateWithAUserIDLikeABookIsNotUsed(t *testing.T) {
	t.Parallel()
	ring := load(t, append(binary(t, entity(t, "book")), rawPacket(13, make([]byte, 20<<10))...))
	if len(ring.Certificates()) != 0 || len(ring.Notes()) != 1 || !strings.Contains(ring.Notes()[0].String(), "user ID: 20480 bytes") {
		t.Errorf("%d certificates, notes %v", len(ring.Certificates()), ring.Notes())
	}
}

func TestACertificateOfThousandsOfSubkeysIsFoundByItsPrimaryKey(t *testing.T) {
	t.Parallel()
	e := entity(t, "busy")
	data := binary(t, e)
	for i := range 40_000 {
		data = append(data, rawPacket(14, endian.BigEndian.AppendUint32([]byte{4}, uint32(i)))...)
	}
	s := parse(t, signature(t, e.PrivateKey, nil))
	if keys := load(t, data).Candidates(s); len(keys) != 1 {
		t.Errorf("%d keys", len(keys))
	}
}
