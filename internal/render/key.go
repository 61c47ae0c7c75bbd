package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runwrit/writ/signer"
)

// KeyShown is what `writ keys show` has to say about a key.
type KeyShown struct {
	*signer.Description
	// Certificate is the file that was given as the key's certificate, "" for none,
	// and Mismatch why it is not; "" if it is.
	Certificate, Mismatch string
}

// Key writes a line for each property, and at last the public key.
func (textRenderer) Key(w io.Writer, k KeyShown) error {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-12s %s\n", name, Escape(value)) }
	line("key", k.Source)
	line("kind", string(k.Kind))
	line("algorithm", k.Algorithm)
	if k.Hash != "" {
		line("digest", k.Hash+" only")
	}
	if k.SPKI != "" {
		line("spki-sha256", k.SPKI)
	}
	for _, id := range k.IDs {
		line("id", id)
	}
	switch {
	case k.Mismatch != "":
		line("certificate", fmt.Sprintf("%s is not of this key: %s", k.Certificate, k.Mismatch))
	case k.Certificate != "":
		line("certificate", k.Certificate+" is of this key")
	}
	for i, c := range k.Chain {
		name := "above"
		if i == 0 {
			name = "subject"
		}
		line(name, c.Subject)
		if i == 0 {
			line("issuer", c.Issuer)
		}
		line("valid", c.NotBefore.Format(time.RFC3339)+" to "+c.NotAfter.Format(time.RFC3339))
		line("sha256", c.SHA256)
	}
	if k.OpenPGP != nil {
		line("user id", k.OpenPGP.UserID)
		for i, key := range k.OpenPGP.Keys {
			name, state := "subkey", "may sign"
			if i == 0 {
				name = "primary key"
			}
			if key.Problem != "" {
				state = "does not sign: " + key.Problem
			}
			line(name, fmt.Sprintf("%s %s, made %s, %s", key.Fingerprint, key.Algorithm, key.Created.Format(time.RFC3339), state))
		}
	}
	b.WriteByte('\n')
	b.Write(k.Public)
	if n := len(k.Public); n > 0 && k.Public[n-1] != '\n' {
		b.WriteByte('\n') // armor ends without one
	}
	return write(w, &b)
}

type jsonCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
}

type jsonOpenPGPKey struct {
	Fingerprint string    `json:"fingerprint"`
	Algorithm   string    `json:"algorithm"`
	Created     time.Time `json:"created"`
	MaySign     bool      `json:"may_sign"`
	Problem     string    `json:"problem"`
}

func (jsonRenderer) Key(w io.Writer, k KeyShown) error {
	doc := struct {
		Version   int               `json:"version"`
		Key       string            `json:"key"`
		Kind      signer.KeyKind    `json:"kind"`
		Algorithm string            `json:"algorithm"`
		Digest    string            `json:"digest"`
		SPKI      string            `json:"spki_sha256"`
		IDs       []string          `json:"ids"`
		Public    string            `json:"public_key"`
		Cert      string            `json:"certificate"`
		Matches   bool              `json:"certificate_matches"`
		Mismatch  string            `json:"certificate_problem"`
		Chain     []jsonCertificate `json:"chain"`
		UserID    string            `json:"user_id"`
		Keys      []jsonOpenPGPKey  `json:"openpgp_keys"`
	}{
		schemaVersion, k.Source, k.Kind, k.Algorithm, k.Hash, k.SPKI, append([]string{}, k.IDs...), string(k.Public),
		k.Certificate, k.Certificate != "" && k.Mismatch == "", k.Mismatch, make([]jsonCertificate, 0, len(k.Chain)), "", []jsonOpenPGPKey{},
	}
	for _, c := range k.Chain {
		doc.Chain = append(doc.Chain, jsonCertificate(c))
	}
	if k.OpenPGP != nil {
		doc.UserID = k.OpenPGP.UserID
		for _, key := range k.OpenPGP.Keys {
			doc.Keys = append(doc.Keys, jsonOpenPGPKey{key.Fingerprint, key.Algorithm, key.Created, key.Problem == "", key.Problem})
		}
	}
	return writeJSON(w, doc)
}
