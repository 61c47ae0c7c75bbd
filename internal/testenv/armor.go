package testenv

import (
	"bytes"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// Armored returns OpenPGP packets in armor with its checksum.
func Armored(t testing.TB, label string, packets []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, label, nil, true)
	if err == nil {
		_, err = w.Write(packets)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}
