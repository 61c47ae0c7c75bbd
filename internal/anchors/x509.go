package anchors

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/sst"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Purposes of a certificate.
const (
	oidCodeSigning  = "1.3.6.1.5.5.7.3.3"
	oidTimeStamping = "1.3.6.1.5.5.7.3.8"
)

// serialized reads a serialized store of Windows.
func (r *reader) serialized(data []byte) error {
	r.found.Form = "a serialized certificate store of Windows"
	store, err := sst.Parse(data)
	if err != nil {
		return err
	}
	var list []Anchor
	restricted := map[string]string{} // by ID: what is said beside one copy holds for all
	for _, c := range store.Certificates {
		a := r.certificate(c.DER)
		if why := restriction(c, a.Room); why != "" {
			restricted[a.ID] = why
		}
		list = append(list, a)
	}
	for _, a := range list {
		if why := restricted[a.ID]; why != "" && a.Why == "" {
			a.Room, a.Why = "", why
		}
		if err := r.keep(a); err != nil {
			return err
		}
	}
	if store.TrustLists > 0 {
		r.found.Notes = append(r.found.Notes, fmt.Sprintf("%d certificate trust lists of Windows are left out: they are no certificates", store.TrustLists))
	}
	return r.lists(store.CRLs)
}

// restriction is why Windows does not trust a certificate for what a room is for;
// "" if it does.
func restriction(c sst.Certificate, room verifier.Room) string {
	switch {
	case c.Distrusted:
		return "Windows does not trust it any more, since some day or for some purposes: the store says so beside it"
	case c.Usages == nil:
	case room == verifier.RoomX509CA && !slices.Contains(c.Usages, oidCodeSigning):
		return "Windows does not have it enabled for code signing: the store says so beside it"
	case room == verifier.RoomTSA && !slices.Contains(c.Usages, oidTimeStamping):
		return "Windows does not have it enabled for timestamps: the store says so beside it"
	}
	return ""
}

// pkcs12 reads the certificates of a key with its chain.
func (r *reader) pkcs12(data []byte) error {
	r.found.Form = "a PKCS#12 file"
	certs, err := signer.PKCS12Certificates(r.ctx, r.name, data, r.options.Passphrase)
	if err != nil {
		return err
	}
	for _, c := range certs {
		if err := r.keep(r.certificate(c.Raw)); err != nil {
			return err
		}
	}
	return nil
}

// pem reads PEM with certificates, lists and PKCS#7. The decoder passes over what
// it cannot read; an anchor, and a list even more, must not go missing in silence.
func (r *reader) pem(data []byte) error {
	r.found.Form = "a PEM file"
	blocks := 0
	for rest := data; ; blocks++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if blocks == MaxAnchors {
			return fmt.Errorf("more than %d PEM blocks", MaxAnchors)
		}
		if err := r.block(block); err != nil {
			return fmt.Errorf("PEM block %d: %w", blocks+1, err)
		}
	}
	if n := bytes.Count(data, []byte(begin)); n > blocks {
		return fmt.Errorf("%d of %d PEM blocks cannot be read", n-blocks, n)
	}
	return nil
}

func (r *reader) block(block *pem.Block) error {
	switch {
	case block.Type == "CERTIFICATE", block.Type == "X509 CERTIFICATE":
		return r.keep(r.certificate(block.Bytes))
	case block.Type == "X509 CRL":
		return r.lists([][]byte{block.Bytes})
	case block.Type == "PKCS7", block.Type == "CMS":
		return r.bag(block.Bytes)
	case block.Type == "PUBLIC KEY":
		return r.keep(r.publicKey(block.Bytes))
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return errSecret
	case block.Type == "TRUSTED CERTIFICATE":
		return errors.New("a certificate with trust settings of OpenSSL, which writ does not read: write it without them (openssl x509 -in FILE -out CERT.pem)")
	}
	return fmt.Errorf("of type %q, which has no place in a trust store", block.Type)
}

// der reads one or more certificates, PKCS#7, or a list.
func (r *reader) der(data []byte) error {
	r.found.Form = "a DER file"
	if certs, err := x509.ParseCertificates(data); err == nil && len(certs) > 0 {
		for _, c := range certs {
			if err := r.keep(r.certificate(c.Raw)); err != nil {
				return err
			}
		}
		return nil
	}
	if list, err := x509.ParseRevocationList(data); err == nil && len(list.Raw) == len(data) {
		return r.lists([][]byte{data})
	}
	var info struct {
		Type asn1.ObjectIdentifier
		Rest asn1.RawValue
	}
	if rest, err := asn1.Unmarshal(data, &info); err == nil && len(rest) == 0 {
		return r.bag(data)
	}
	return errors.New("DER, but neither certificates nor a revocation list nor PKCS#7; one of several certificates may be damaged")
}

// bag reads PKCS#7 without a signature: .p7b, .p7c.
func (r *reader) bag(der []byte) error {
	r.found.Form = "a PKCS#7 file"
	bag, err := cms.ParseBag(der)
	if err != nil {
		return err
	}
	for _, c := range bag.Certificates {
		if err := r.keep(r.certificate(c)); err != nil {
			return err
		}
	}
	return r.lists(bag.CRLs)
}

// certificate says what a certificate is, and where it belongs.
func (r *reader) certificate(der []byte) Anchor {
	a := Anchor{Kind: KindCertificate, ID: digestID("x509-sha256", der), data: der}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.Why = fmt.Sprintf("cannot be read: %v", err)
		return a
	}
	facts := a.describe(c, r.options.Now)
	a.Room, a.Why = place(c, facts, r.options.Room)
	return a
}

func (a *Anchor) describe(c *x509.Certificate, now time.Time) format.CertificateFacts {
	facts := format.DescribeCertificate(c)
	a.cert, a.selfRun, a.ca = c, facts.SelfSigned, facts.Authority
	a.Name, a.Algorithm = facts.Subject, facts.Algorithm
	a.NotBefore, a.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	switch {
	case now.After(c.NotAfter):
		a.Doubt = "it has expired"
	case now.Before(c.NotBefore):
		a.Doubt = "it is not valid yet"
	case facts.Weak:
		a.Doubt = "its key is too short: what it signs is weak"
	}
	return facts
}

// place says into which room a certificate belongs; why is not "" if into none.
func place(c *x509.Certificate, facts format.CertificateFacts, wanted verifier.Room) (room verifier.Room, why string) {
	anything := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	code := slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) || anything && facts.Authority
	stamps := slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) || anything && facts.Authority && wanted == verifier.RoomTSA
	switch {
	case facts.Oversized:
		return "", "its key is larger than a trust store takes"
	case wanted != "" && wanted != verifier.RoomX509CA && wanted != verifier.RoomTSA:
		return "", fmt.Sprintf("a certificate does not belong into the room %s", wanted)
	case !facts.Authority && !facts.SelfSigned:
		return "", fmt.Sprintf("it is no anchor: %q issued it. In a store with that authority the line %s in x509-pins narrows trust to this signer", facts.Issuer, facts.IDs[0])
	case stamps && (wanted == verifier.RoomTSA || wanted == "" && !code):
		return verifier.RoomTSA, ""
	case code && wanted != verifier.RoomTSA:
		return verifier.RoomX509CA, ""
	case wanted == verifier.RoomTSA:
		return "", "it is not for timestamps"
	case !facts.Authority && anything:
		return "", "it is neither an authority nor for code signing: nobody could be trusted through it"
	}
	return "", "it is not for code signing: nobody could be trusted through it"
}

// lists says what revocation lists are. Whether they can be honoured, the formats
// say when the trust store is read.
func (r *reader) lists(all [][]byte) error {
	for _, der := range all {
		a := Anchor{Kind: KindCRL, ID: digestID("sha256", der), Room: verifier.RoomCRL, data: der}
		if list, err := x509.ParseRevocationList(der); err != nil {
			a.Room, a.Why = "", fmt.Sprintf("a revocation list that cannot be read: %v", err)
		} else {
			a.describeList(list)
		}
		if room := r.options.Room; room != "" && room != verifier.RoomCRL {
			a.Room, a.Why = "", fmt.Sprintf("a revocation list does not belong into the room %s", room)
		}
		if err := r.keep(a); err != nil {
			return err
		}
	}
	return nil
}

func (a *Anchor) describeList(list *x509.RevocationList) {
	a.Name = list.Issuer.String()
	a.NotBefore, a.NotAfter = list.ThisUpdate.UTC(), list.NextUpdate.UTC()
	a.revokes = len(list.RevokedCertificateEntries)
}
