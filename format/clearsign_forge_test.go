package format_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha1" // the fingerprint of version 4 keys
	"encoding/binary"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/verifier"
)

// forger makes keys, certificates and signatures octet by octet, so that it can
// make those that no library would. Its keys are Ed25519, of version 4.
type forger struct {
	secret  ed25519.PrivateKey
	created time.Time
	body    []byte // of the key packet
}

func newForger(created time.Time) *forger {
	_, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return forgerOf(secret, created)
}

// seededForger is the same one each time.
func seededForger(seed byte, created time.Time) *forger {
	return forgerOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)), created)
}

func forgerOf(secret ed25519.PrivateKey, created time.Time) *forger {
	body := binary.BigEndian.AppendUint32([]byte{4}, uint32(created.Unix()))
	body = append(body, 22, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1, 1, 7, 0x40) // EdDSA, the curve, 263 bits
	return &forger{secret, created, append(body, secret[ed25519.SeedSize:]...)}   // the public half

}

func (f *forger) fingerprint() []byte {
	sum := sha1.Sum(f.hashed())
	return sum[:]
}

// hashed is the key as signatures cover it.
func (f *forger) hashed() []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(f.body))), f.body...)
}

func forgedPacket(tag byte, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xc0 | tag, 0xff}, uint32(len(body))), body...)
}

func (f *forger) keyPacket() []byte    { return forgedPacket(6, f.body...) }
func (f *forger) subkeyPacket() []byte { return forgedPacket(14, f.body...) }

const critical = 0x80

func subpacket(kind byte, body ...byte) []byte {
	head := []byte{0xff}
	head = binary.BigEndian.AppendUint32(head, uint32(1+len(body)))
	return append(append(head, kind), body...)
}

func at(kind byte, t time.Time) []byte {
	return subpacket(kind, binary.BigEndian.AppendUint32(nil, uint32(t.Unix()))...)
}

func lasting(kind byte, d time.Duration) []byte {
	return subpacket(kind, binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))...)
}

func (f *forger) issuer() []byte { return subpacket(33, append([]byte{4}, f.fingerprint()...)...) }
func (f *forger) keyID() []byte  { return subpacket(16, f.fingerprint()[12:]...) }

// forged is one signature to be made.
type forged struct {
	kind     byte
	hash     byte // SHA-512 if 0
	hashed   [][]byte
	unhashed [][]byte
}

// sign makes the body of a signature packet over what is given.
func (f *forger) sign(s forged, covered ...[]byte) []byte {
	if s.hash == 0 {
		s.hash = 10
	}
	h := map[byte]crypto.Hash{2: crypto.SHA1, 8: crypto.SHA256, 10: crypto.SHA512}[s.hash].New()
	hashed, unhashed := bytes.Join(s.hashed, nil), bytes.Join(s.unhashed, nil)
	head := binary.BigEndian.AppendUint16([]byte{4, s.kind, 22, s.hash}, uint16(len(hashed)))
	head = append(head, hashed...)
	for _, c := range covered {
		h.Write(c)
	}
	h.Write(head)
	h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(head))))
	sum := h.Sum(nil)
	value := ed25519.Sign(f.secret, sum)
	body := binary.BigEndian.AppendUint16(head, uint16(len(unhashed)))
	body = append(append(body, unhashed...), sum[:2]...)
	for _, number := range [][]byte{value[:32], value[32:]} {
		number = bytes.TrimLeft(number, "\x00")
		bits := len(number) * 8
		for b := number[0]; b < 0x80; b <<= 1 {
			bits--
		}
		body = append(binary.BigEndian.AppendUint16(body, uint16(bits)), number...)
	}
	return body
}

// self is a self-signature over the key alone, or over a user ID.
func (f *forger) self(s forged, userID string) []byte {
	covered := [][]byte{f.hashed()}
	if userID != "" {
		covered = append(covered, binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(userID))), []byte(userID))
	}
	return forgedPacket(2, f.sign(s, covered...)...)
}

// binds is a signature over the key and a subkey.
func (f *forger) binds(s forged, sub *forger) []byte {
	return forgedPacket(2, f.sign(s, f.hashed(), sub.hashed())...)
}

// back is the embedded signature by which a subkey owns up to its primary key.
func (f *forger) back(s forged, sub *forger) []byte {
	return subpacket(32, sub.sign(s, f.hashed(), sub.hashed())...)
}

// text is a signature packet over a text.
func (f *forger) text(text string, s forged) []byte {
	var covered bytes.Buffer
	if err := cleartext.HashText(&covered, []byte(text)); err != nil {
		panic(err)
	}
	return forgedPacket(2, f.sign(s, covered.Bytes())...)
}

// flags are key flags: 1 to certify, 2 to sign.
func flags(f byte) []byte { return subpacket(27, f) }

// certificate is the key with one user ID that is good in every way, and then
// whatever else is given.
func (f *forger) certificate(more ...[]byte) []byte {
	id := "Forger"
	good := f.self(forged{kind: 0x13, hashed: [][]byte{at(2, f.created), f.issuer(), flags(3)}, unhashed: [][]byte{f.keyID()}}, id) // GnuPG 2.2 wants the key ID
	return bytes.Join(append([][]byte{f.keyPacket(), forgedPacket(13, []byte(id)...), good}, more...), nil)
}

// forgedVerifier trusts a ring of certificates.
func forgedVerifier(t testing.TB, ring []byte) *verifier.Verifier {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "ring.pgp", Data: ring})
	if err != nil {
		t.Fatal(err)
	}
	return clearsignVerifier(t, trust, clearsignTime)
}
