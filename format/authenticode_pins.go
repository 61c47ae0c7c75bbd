package format

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/trustlist"
)

// authenticodePin names signers of a store: those with all that is set.
type authenticodePin struct {
	id      string // "x509-sha256:" or "x509-spki:", as in an Identity
	subject string // of the leaf
	issuer  string // of an authority of the chain
	eku     string // of the leaf
}

// Object identifiers of Azure Trusted Signing. Below azureType stand types of
// certificates, which all subscribers share.
const azureType = "1.3.6.1.4.1.311.97.1."

// parsePins reads a file of the room x509-pins.
func parsePins(data []byte) ([]authenticodePin, error) {
	entries, err := trustlist.Parse(data)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errors.New("no pins in it; a file without would let every signer through")
	}
	var pins []authenticodePin
	for _, e := range entries {
		p, err := newPin(e)
		if err != nil {
			return nil, err
		}
		pins = append(pins, p)
	}
	return pins, nil
}

func newPin(e trustlist.Entry) (authenticodePin, error) {
	switch e.Kind {
	case "x509-sha256", "x509-spki":
		sum, err := hex.DecodeString(e.Value)
		if err != nil || len(sum) != sha256.Size {
			return authenticodePin{}, e.Errorf("%s needs 64 hexadecimal digits", e.Kind)
		}
		return authenticodePin{id: e.Kind + ":" + strings.ToLower(e.Value)}, e.Only()
	case "x509-identity":
		p := authenticodePin{subject: e.Fields["subject"], issuer: e.Fields["issuer"], eku: e.Fields["eku"]}
		switch {
		case e.Value != "":
			return p, e.Errorf("nothing stands behind x509-identity: but fields")
		case p.issuer == "":
			return p, e.Errorf("x509-identity needs the issuer: who vouches for the identity")
		case p.eku != "" && !isOID(p.eku):
			return p, e.Errorf("eku %q is no object identifier", p.eku)
		case p.subject == "" && p.eku == "":
			return p, e.Errorf("x509-identity needs subject, eku, or both")
		case p.subject == "" && strings.HasPrefix(p.eku, azureType):
			return p, e.Errorf("eku %s is a type of certificate that all subscribers of Azure Trusted Signing have: name the one of the identity, or the subject too", p.eku)
		}
		return p, e.Only("subject", "issuer", "eku")
	default:
		return authenticodePin{}, e.Errorf("unknown word %q: want x509-sha256, x509-spki or x509-identity", e.Kind)
	}
}

func isOID(s string) bool {
	_, err := x509.ParseOID(s)
	return err == nil && strings.Count(s, ".") >= 6
}

func (p authenticodePin) fits(chain []*x509.Certificate) bool {
	leaf := chain[0]
	if p.id != "" {
		return slices.Contains(certificateIDs(leaf), p.id)
	}
	return (p.subject == "" || p.subject == exactName(leaf.RawSubject)) &&
		(p.eku == "" || slices.ContainsFunc(leaf.UnknownExtKeyUsage, func(id asn1.ObjectIdentifier) bool { return id.String() == p.eku })) &&
		slices.ContainsFunc(chain[1:], func(c *x509.Certificate) bool { return p.issuer == exactName(c.RawSubject) })
}

// pinned returns the chains whose signer the store trusts.
func (a *authenticodeAnchors) pinned(chains [][]*x509.Certificate) [][]*x509.Certificate {
	if a.pins == nil {
		return chains
	}
	var kept [][]*x509.Certificate
	for _, chain := range chains {
		if slices.ContainsFunc(a.pins, func(p authenticodePin) bool { return p.fits(chain) }) {
			kept = append(kept, chain)
		}
	}
	return kept
}

// certificateIDs are the names under which a certificate is known by its bytes
// and by its key.
func certificateIDs(c *x509.Certificate) []string {
	cert, spki := sha256.Sum256(c.Raw), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return []string{"x509-sha256:" + hex.EncodeToString(cert[:]), "x509-spki:" + hex.EncodeToString(spki[:])}
}

// exactName renders a name with every attribute in its place; the String method
// of pkix.Name sorts them, and of several common names keeps one.
func exactName(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}
