package format

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// clearsignHash is the hash function of all signatures that are made here.
const (
	clearsignHash     = crypto.SHA512
	clearsignHashName = "SHA512"
)

// Sign returns the clear-signed form of rb. What is executed later is the
// runbook byte for byte: a text that the format would change, or that GnuPG
// would cut, is refused with *signer.InputError, which names the line. It fails
// with *signer.KeyError if the key may not sign now.
func (c *Clearsign) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	text := rb.Bytes()
	if err := checkSource(rb.Name(), text); err != nil {
		return nil, err
	}
	value, err := c.signature(ctx, rb, text, key)
	if err != nil {
		return nil, err
	}
	doc, err := cleartext.New(text, clearsignHashName, value)
	if err != nil {
		return nil, inputError(rb.Name(), err)
	}
	out := doc.Render()
	again, err := cleartext.Parse(out)
	if err != nil || !again.Canonical() || !bytes.Equal(again.Text(), text) {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "the signed text would not be the runbook, byte for byte", Fix: "report this as a bug of writ"}
	}
	return out, nil
}

// signature makes the signature packet over text, the runbook's own, with the
// claims about rb.
func (c *Clearsign) signature(_ context.Context, rb *runbook.Runbook, text []byte, key *signer.Key) ([]byte, error) {
	notations, err := claimNotations(rb, c.Version, c.Namespace)
	if err != nil {
		return nil, err
	}
	entity, err := key.OpenPGP()
	if err != nil {
		return nil, err
	}
	clock := c.Now
	if clock == nil {
		clock = time.Now
	}
	now := clock().UTC()
	private, err := signingKey(key.Source(), entity, now)
	if err != nil {
		return nil, err
	}
	return signText(key.Source(), text, notations, private, now)
}

// checkSource refuses what cannot be clear-signed without a loss.
func checkSource(name string, text []byte) error {
	if strings.EqualFold(path.Ext(name), runbook.SignatureExt) {
		return &signer.InputError{
			Name: name, Msg: "the name says that this is a signed file already",
			Fix: fmt.Sprintf("sign the runbook itself: writ sign %q", runbook.PayloadName(name)),
		}
	}
	if manifest.IsManifest(text) && name != runbook.ManifestName {
		return &signer.InputError{
			Name: name, Line: 1, Msg: "the text is a manifest, which lists the files of a project, and no runbook",
			Fix: "sign the project: writ manifest sign",
		}
	}
	if place, _ := cleartext.Locate(text); place == cleartext.AtStart {
		return &signer.InputError{
			Name: name, Line: 1, Msg: "the file is a clear-signed document already",
			Fix: "sign the runbook inside: writ verify --payload FILE writes it out",
		}
	}
	if err := cleartext.CheckText(text); err != nil {
		return inputError(name, err)
	}
	return nil
}

func inputError(name string, err error) error {
	var syntax *cleartext.SyntaxError
	if errors.As(err, &syntax) {
		return &signer.InputError{Name: name, Line: syntax.Line, Msg: syntax.Detail, Fix: syntax.Fix}
	}
	return &signer.InputError{Name: name, Msg: err.Error()}
}

// signingKey chooses the key that signs: the newest subkey that a verifier would
// accept now, or else the primary key.
func signingKey(source string, entity *openpgp.Entity, now time.Time) (*packet.PrivateKey, error) {
	var public bytes.Buffer
	if err := entity.Serialize(&public); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "the certificate cannot be written: " + err.Error()}
	}
	loader := pgpcert.NewLoader()
	if err := loader.Add(source, public.Bytes()); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: err.Error()}
	}
	ring := loader.Ring()
	if len(ring.Certificates()) != 1 {
		return nil, &signer.KeyError{Source: source, Msg: "the certificate cannot be used"}
	}
	var best *packet.PrivateKey
	reason := "it has no secret key that could sign"
	for i, k := range ring.Certificates()[0].Keys() {
		private := privateKey(entity, k.Fingerprint)
		if private == nil {
			continue
		}
		if problem := cannotSign(k, private, now); problem != "" {
			reason = problem
			continue
		}
		if best == nil || i > 0 && (best == entity.PrivateKey || private.CreationTime.After(best.CreationTime)) {
			best = private
		}
	}
	if best == nil {
		return nil, &signer.KeyError{Source: source, Msg: "no key of it may sign now: " + reason}
	}
	return best, nil
}

// cannotSign says why a key cannot sign; "" if it can. Of several reasons, the
// one that a verifier would give.
func cannotSign(k *pgpcert.Key, private *packet.PrivateKey, now time.Time) string {
	if problem := k.Judge(now).Problem(); problem != "" {
		return problem
	}
	if private.Version != 4 {
		return fmt.Sprintf("a key of version %d makes signatures that GnuPG cannot read", private.Version)
	}
	return ""
}

// privateKey returns the unlocked secret key of that fingerprint, or nil.
func privateKey(entity *openpgp.Entity, fingerprint string) *packet.PrivateKey {
	candidates := []*packet.PrivateKey{entity.PrivateKey}
	for _, s := range entity.Subkeys {
		candidates = append(candidates, s.PrivateKey)
	}
	for _, k := range candidates {
		if k != nil && !k.Dummy() && !k.Encrypted && strings.EqualFold(fmt.Sprintf("%x", k.Fingerprint), fingerprint) {
			return k
		}
	}
	return nil
}

// signText makes the signature packet: version 4, over text, dated now, with the
// notations and the issuer's fingerprint in the hashed part.
func signText(source string, text []byte, notations []signer.Notation, private *packet.PrivateKey, now time.Time) ([]byte, error) {
	h := clearsignHash.New()
	_ = cleartext.HashText(h, text) // a hash does not fail
	sig := &packet.Signature{
		Version:      private.Version,
		SigType:      packet.SigTypeText,
		PubKeyAlgo:   private.PubKeyAlgo,
		Hash:         clearsignHash,
		CreationTime: now,
		IssuerKeyId:  &private.KeyId,
	}
	for _, n := range notations {
		sig.Notations = append(sig.Notations, &packet.Notation{Name: n.Name, Value: []byte(n.Value), IsHumanReadable: true})
	}
	config := &packet.Config{NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)}
	if err := sig.Sign(h, private, config); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	var out bytes.Buffer
	// For some algorithms go-crypto reports a signer's failure only here.
	if err := sig.Serialize(&out); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	return out.Bytes(), nil
}
