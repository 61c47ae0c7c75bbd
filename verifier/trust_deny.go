package verifier

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/runwrit/writ/internal/trustlist"
)

// CodeDenied is the code of the finding that a deny list names the file.
const CodeDenied = "denied"

// Denial is one entry of a deny list.
type Denial struct {
	ID   string // what is denied, such as "x509-spki:<hexadecimal>"
	Why  string // in the operator's words; may be empty
	File string // the list
	Line int
}

// String says all of it, for a message.
func (d Denial) String() string {
	why := d.Why
	if why == "" {
		why = "no reason is given"
	}
	return fmt.Sprintf("%s is denied: %s (%s, line %d)", d.ID, why, d.File, d.Line)
}

// DenySerial is the ID of a certificate by its issuer's name and serial number.
func DenySerial(issuer string, serial *big.Int) string {
	return "x509-serial:" + serial.Text(16) + " of " + issuer
}

// Denied returns the entry of any deny list, of whatever store, that names one
// of ids: "sha256:" of a file, a payload or a signed
// content, "sha384:" or "sha512:" of a signed content, the IDs of an
// Identity, "openpgp:" of a subkey, or what DenySerial makes.
func (t *TrustStore) Denied(ids ...string) (Denial, bool) {
	for _, id := range ids {
		if d, hit := t.denied[id]; hit {
			return d, true
		}
	}
	return Denial{}, false
}

// Denies reports whether any deny list has an entry of that kind, such as
// "sha384": if not, nobody needs to take that digest.
func (t *TrustStore) Denies(kind string) bool { return t.deniedKinds[kind] }

func (t *TrustStore) readDenied() error {
	t.denied, t.deniedKinds = map[string]Denial{}, map[string]bool{}
	for _, f := range t.Files(RoomDeny) {
		entries, err := trustlist.Parse(f.Data)
		if err != nil {
			return &TrustError{f.Name, err}
		}
		for _, e := range entries {
			id, err := deniedID(e)
			if err != nil {
				return &TrustError{f.Name, err}
			}
			denial := Denial{ID: id, Why: e.Why, File: f.Name, Line: e.Line}
			t.deny(e.Kind, id, denial)
			if digest, is := strings.CutPrefix(id, "sigstore-key:"); is { // the same key may have a certificate
				t.deny("x509-spki", "x509-spki:"+digest, denial)
			}
		}
	}
	return nil
}

// deny takes an entry in, the first of those that deny the same.
func (t *TrustStore) deny(kind, id string, d Denial) {
	t.deniedKinds[kind] = true
	if _, known := t.denied[id]; !known {
		t.denied[id] = d
	}
}

// deniedID brings an entry into the form in which it is looked up.
func deniedID(e trustlist.Entry) (string, error) {
	switch e.Kind {
	case "sha256", "sha384", "sha512", "x509-sha256", "x509-spki", "sigstore-key":
		digits := map[string]int{"sha384": 96, "sha512": 128}
		if n := cmp.Or(digits[e.Kind], 64); !isHex(e.Value, n) {
			return "", e.Errorf("%s needs %d hexadecimal digits", e.Kind, n)
		}
		return e.Kind + ":" + strings.ToLower(e.Value), e.Only()
	case "openpgp":
		if !isHex(e.Value, 40) && !isHex(e.Value, 64) {
			return "", e.Errorf("openpgp needs a whole fingerprint of 40 or 64 hexadecimal digits")
		}
		return e.Kind + ":" + strings.ToUpper(e.Value), e.Only()
	case "x509-serial":
		serial, ok := new(big.Int).SetString(e.Value, 16)
		if !ok || serial.Sign() < 0 || strings.ContainsAny(e.Value, "+-_") {
			return "", e.Errorf("x509-serial needs hexadecimal digits")
		}
		if e.Fields["issuer"] == "" {
			return "", e.Errorf("x509-serial needs the issuer: a serial number is one of its issuer only")
		}
		return DenySerial(e.Fields["issuer"], serial), e.Only("issuer")
	default:
		return "", e.Errorf("unknown word %q: want sha256, sha384, sha512, x509-sha256, x509-spki, x509-serial, sigstore-key or openpgp", e.Kind)
	}
}

func isHex(s string, digits int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == digits
}
