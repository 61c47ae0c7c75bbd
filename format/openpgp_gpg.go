package format

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/signer"
)

// signWithGPG has gpg make the signature packet over text. Nothing that gpg
// answers is believed: neither its program nor its configuration are ours.
func signWithGPG(ctx context.Context, key *signer.Key, text []byte, notations []signer.Notation, clock func() time.Time) ([]byte, error) {
	certificate, err := key.Anchor()
	if err != nil {
		return nil, err
	}
	before := clock().UTC()
	chosen, err := chooseKey(key.Source(), certificate, before, key.GPG().Usable)
	if err != nil {
		return nil, err
	}
	// The last line end is not covered. All others are turned into CRLF by gpg; its
	// loss of blanks at line ends is none here, and no line is so long that gpg
	// would cut it: CheckText has seen to both.
	value, err := key.GPG().Sign(ctx, chosen.Fingerprint, bytes.TrimSuffix(text, []byte("\n")), notations)
	if err != nil {
		return nil, err
	}
	asked := gpgRequest{key: chosen, text: text, notations: notations, before: before, after: clock().UTC()}
	if problem := asked.problem(value); problem != "" {
		return nil, &signer.KeyError{Source: key.Source(), Msg: "what gpg made is not what it was asked for, and was thrown away: " + problem}
	}
	return value, nil
}

// gpgRequest is what gpg was asked for.
type gpgRequest struct {
	key           *pgpcert.Key
	text          []byte
	notations     []signer.Notation
	before, after time.Time
}

// problem says why value is not exactly one signature packet of the form that
// signWithKey makes, by that key over that text; "" if it is.
func (r *gpgRequest) problem(value []byte) string {
	p, rest, err := pgpcert.NextPacket(value)
	switch {
	case err != nil:
		return err.Error()
	case p.Tag != pgpcert.TagSignature || len(rest) > 0:
		return "not one signature packet alone"
	}
	s, err := pgpcert.ParseSignature(p.Body)
	switch {
	case err != nil:
		return err.Error()
	case s.Unsupported != "":
		return s.Unsupported
	case s.Version != 4 || s.Type != pgpcert.TypeText || s.Hash != openpgpHash:
		return fmt.Sprintf("a signature of version %d, type 0x%02x, with %s", s.Version, s.Type, s.HashName())
	case s.JudgeForm() != "":
		return s.JudgeForm()
	case s.Created.Before(r.before.Add(-pgpcert.MaxSkew)) || s.Created.After(r.after.Add(pgpcert.MaxSkew)):
		return fmt.Sprintf("it is dated %s, and the time here is %s", s.Created.Format(time.RFC3339), r.after.Format(time.RFC3339))
	}
	if problem := r.statements(p.Body); problem != "" {
		return problem
	}
	h, err := s.NewHash()
	if err != nil {
		return err.Error()
	}
	_ = cleartext.HashText(h, r.text) // a hash does not fail
	if proof := r.key.Verify(s, h); !proof.Valid || !proof.TagMatches {
		return "it is not a good signature by " + r.key.Fingerprint + " over the text"
	}
	return ""
}

// Subpackets that a signature made here has (RFC 9580 section 5.2.3.7).
const (
	subpacketCreated           = 2
	subpacketIssuer            = 16
	subpacketNotation          = 20
	subpacketIssuerFingerprint = 33
)

// statements says which subpacket is not one that was asked for. The issuer's key
// ID may stand in either part; pgpcert holds it against the fingerprint.
func (r *gpgRequest) statements(body []byte) string {
	hashed, unhashed, err := pgpcert.Subpackets(body)
	if err != nil {
		return err.Error()
	}
	wanted := slices.Clone(r.notations) // gpg has an order of its own
	named := false
	for _, s := range hashed {
		switch {
		case s.Critical:
			return fmt.Sprintf("a critical statement of type %d", s.Kind)
		case s.Kind == subpacketCreated, s.Kind == subpacketIssuer:
		case s.Kind == subpacketIssuerFingerprint && fmt.Sprintf("%X", s.Body) == "04"+r.key.Fingerprint:
			named = true
		default:
			i := slices.IndexFunc(wanted, func(n signer.Notation) bool {
				return s.Kind == subpacketNotation && bytes.Equal(s.Body, notationBody(n))
			})
			if i >= 0 {
				wanted = slices.Delete(wanted, i, i+1)
				continue
			}
			return fmt.Sprintf("a statement of type %d that was not asked for", s.Kind)
		}
	}
	switch {
	case !named:
		return "the fingerprint of the signing key is not in its signed part"
	case len(wanted) > 0:
		return fmt.Sprintf("the notation %q is missing", wanted[0].Name)
	}
	for _, s := range unhashed {
		if s.Kind != subpacketIssuer || s.Critical {
			return fmt.Sprintf("a statement of type %d that was not asked for, and is not signed", s.Kind)
		}
	}
	return ""
}

// notationBody is a notation for people to read, as a subpacket.
func notationBody(n signer.Notation) []byte {
	body := []byte{0x80, 0, 0, 0, byte(len(n.Name) >> 8), byte(len(n.Name)), byte(len(n.Value) >> 8), byte(len(n.Value))}
	return append(append(body, n.Name...), n.Value...)
}
