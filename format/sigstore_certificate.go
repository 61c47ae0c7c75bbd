//go:build !nosigstore

package format

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/runwrit/writ/verifier"
)

// maxSigstoreName is the length of an issuer and of a subject alternative name.
const maxSigstoreName = 512

// readFulcio reads who signed, and in which job, from a certificate of Fulcio. The
// signer must have exactly one name, in a form that no other one can be taken for.
func readFulcio(leaf *x509.Certificate) (*verifier.Sigstore, error) {
	facts, err := subjectName(leaf)
	if err != nil {
		return nil, err
	}
	all, err := certificate.ParseExtensions(leaf.Extensions)
	if err != nil {
		return nil, fmt.Errorf("an extension of Fulcio cannot be read: %w", err)
	}
	// An older and a newer extension name the issuer. The library takes the last of them.
	for _, e := range leaf.Extensions {
		issuer := string(e.Value)
		switch {
		case e.Id.Equal(certificate.OIDIssuer): //nolint:staticcheck // old certificates have no other
		case e.Id.Equal(certificate.OIDIssuerV2):
			if err := certificate.ParseDERString(e.Value, &issuer); err != nil {
				return nil, errors.New("its issuer cannot be read")
			}
		default:
			continue
		}
		if issuer != all.Issuer {
			return nil, errors.New("it names two issuers")
		}
	}
	facts.Issuer = all.Issuer
	switch {
	case lostEnd(facts.SAN, all):
		return nil, errors.New("its identity is not all of the job's: the branch or tag ends with \"#\", which Fulcio leaves out of the name")
	case sharedName(facts.SAN, all):
		return nil, errors.New("its identity may be that of another job: a branch or tag holds \"%\", by which Fulcio writes other letters")
	case all.Issuer == "":
		return nil, errors.New("it does not say who vouches for the identity (no issuer)")
	case !nameable(all.Issuer), !nameable(facts.SAN):
		return nil, fmt.Errorf("its issuer or its identity is longer than %d bytes, or holds %q or a character that cannot be seen", maxSigstoreName, "|")
	}
	for to, from := range map[*string]string{
		&facts.SourceRepository: all.SourceRepositoryURI, &facts.SourceRef: all.SourceRepositoryRef, &facts.SourceDigest: all.SourceRepositoryDigest,
		&facts.Workflow: all.BuildConfigURI, &facts.Trigger: all.BuildTrigger,
	} {
		if nameable(from) {
			*to = from
		}
	}
	return facts, nil
}

// lostEnd says that the identity is that of another job. Fulcio writes it as a URI,
// which loses an empty fragment: on the branch "main#", which nobody protects, a job
// would be that on "main". Only the extensions say where it ran.
func lostEnd(san string, e certificate.Extensions) bool {
	for _, uri := range []string{e.BuildSignerURI, e.BuildConfigURI} {
		if uri == san+"#" {
			return true
		}
	}
	for _, ref := range []string{e.SourceRepositoryRef, e.GithubWorkflowRef} {
		if rest, cut := strings.CutSuffix(ref, "#"); cut && strings.HasSuffix(san, "@"+rest) {
			return true
		}
	}
	return false
}

// sharedName says that the identity could be that of another job. As a URI it has
// letters such as "ö" as "%C3%B6", and a branch that is called "%C3%B6" has the same
// one. Most authorities write the address of the workflow as the pipeline said it; if
// it is written as a URI already, nobody can tell.
func sharedName(san string, e certificate.Extensions) bool {
	return strings.Contains(san, "%") && strings.Contains(e.BuildSignerURI+e.BuildConfigURI+e.SourceRepositoryRef+e.GithubWorkflowRef, "%")
}

// The kinds of names that Fulcio gives: tags of a GeneralName.
const (
	tagOtherName = asn1.Tag(0xA0)
	tagEmail     = asn1.Tag(0x81)
	tagURI       = asn1.Tag(0x86)
)

// subjectName is the one subject alternative name of the certificate. Names are
// counted here, because libraries pass over those of kinds that they do not know.
func subjectName(leaf *x509.Certificate) (*verifier.Sigstore, error) {
	var tags []asn1.Tag
	var raw string // the last of the names
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(cryptoutils.SANOID) {
			continue
		}
		der, names := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !der.ReadASN1(&names, asn1.SEQUENCE) || !der.Empty() {
			return nil, errOneName
		}
		for !names.Empty() {
			var name cryptobyte.String
			var tag asn1.Tag
			if len(tags) > 1 || !names.ReadAnyASN1(&name, &tag) {
				return nil, errOneName
			}
			tags, raw = append(tags, tag), string(name)
		}
	}
	if len(tags) != 1 {
		return nil, errOneName
	}
	switch {
	case tags[0] == tagURI && len(leaf.URIs) == 1:
		if leaf.URIs[0].String() != raw { // and libraries would read another name in it
			return nil, errors.New("its subject alternative name is a URI that is not written as usual")
		}
		return &verifier.Sigstore{SAN: raw, SANKind: "uri"}, nil
	case tags[0] == tagEmail && len(leaf.EmailAddresses) == 1:
		return &verifier.Sigstore{SAN: leaf.EmailAddresses[0], SANKind: "email"}, nil
	case tags[0] == tagOtherName:
		other, err := cryptoutils.UnmarshalOtherNameSAN(leaf.Extensions)
		if err == nil {
			return &verifier.Sigstore{SAN: other, SANKind: "other"}, nil
		}
	}
	return nil, errOneName
}

var errOneName = errors.New("it must have exactly one subject alternative name, a URI, an e-mail address or a user name of Fulcio")

// nameable holds for a text that can stand in "sigstore:ISSUER|SAN".
func nameable(s string) bool {
	return s != "" && len(s) <= maxSigstoreName && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r == '|' || !unicode.IsPrint(r) })
}
