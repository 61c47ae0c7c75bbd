package format

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// otherOpenPGP looks at a file that is no clear-signed document: it may be
// something else of OpenPGP, which GnuPG would take with exit code 0 whether it
// is signed or not.
func otherOpenPGP(name string, data []byte) verifier.Outcome {
	isAsc := strings.EqualFold(path.Ext(name), runbook.SignatureExt)
	start := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	first, _, _ := bytes.Cut(start, []byte("\n"))
	switch label, armored := cleartext.Label(first); {
	case armored:
		return armoredOpenPGP(label, start)
	case bytes.HasPrefix(first, []byte("-----BEGIN PGP ")):
		return refuse(verifier.Malformed, verifier.Finding{
			Code: string(cleartext.MarkerWithText), Line: 1, Detail: "the first line begins an OpenPGP block and goes on with something else",
		})
	case !isAsc:
		return verifier.Outcome{}
	case len(data) == 0:
		return notSigned("empty-file", "the file is empty")
	case data[0]&0x80 != 0:
		if tags, err := pgpcert.Tags(data, maxMessagePackets); err == nil {
			return openPGPMessage(tags, data)
		}
	}
	return notSigned("not-clearsigned", "the name ends in .asc, and the file is not clear-signed text")
}

// notSigned says of a file that could be clear-signed that it is not.
func notSigned(code, detail string) verifier.Outcome {
	return verifier.Outcome{Capable: true, Findings: []verifier.Finding{{Code: code, Detail: detail, Fix: signAnew}}}
}

const signAnew = "sign the runbook itself with writ sign, which makes clear-signed text"

// maxMessagePackets is how many packets of a message are looked at.
const maxMessagePackets = 64

func armoredOpenPGP(label string, data []byte) verifier.Outcome {
	finding := verifier.Finding{Line: 1, Fix: signAnew}
	switch label {
	case "PGP SIGNATURE":
		finding.Code = "detached-signature"
		finding.Detail = "a detached signature, without the text that it is for"
	case "PGP PUBLIC KEY BLOCK":
		finding.Code = "key-block"
		finding.Detail = "an OpenPGP certificate, not a runbook"
		finding.Fix = ""
	case "PGP PRIVATE KEY BLOCK":
		finding.Code = "secret-key-block"
		finding.Detail = "an OpenPGP secret key, not a runbook"
		finding.Fix = "keep the key in a safe place, and consider it exposed"
	case "PGP MESSAGE":
		blocks, err := cleartext.Dearmor(data)
		if err != nil || len(blocks) == 0 {
			return refuse(verifier.Malformed, verifier.Finding{Code: string(cleartext.BadArmor), Line: 1, Detail: "an OpenPGP message in broken armor"})
		}
		tags, err := pgpcert.Tags(blocks[0].Data, maxMessagePackets)
		if err != nil {
			return refuse(verifier.Malformed, verifier.Finding{Code: "bad-packet", Line: 1, Detail: "an OpenPGP message with a broken packet"})
		}
		return openPGPMessage(tags, blocks[0].Data)
	default:
		finding.Code = "unknown-armor"
		finding.Detail = "an armored OpenPGP block of a kind that is not clear-signed text"
		return refuse(verifier.Malformed, finding)
	}
	return refuse(verifier.Unsigned, finding)
}

// openPGPMessage tells signed messages from those that only look signed.
func openPGPMessage(tags []byte, data []byte) verifier.Outcome {
	var contents, signatures, encrypted, others int
	for _, tag := range tags {
		switch tag {
		case pgpcert.TagLiteral, pgpcert.TagCompressed:
			contents++
		case pgpcert.TagSignature, pgpcert.TagOnePassSignature:
			signatures++
		case pgpcert.TagPublicKeyEncrypted, pgpcert.TagSymmetricEncrypted, pgpcert.TagEncrypted,
			pgpcert.TagEncryptedIntegrity, pgpcert.TagEncryptedAEAD:
			encrypted++
		case pgpcert.TagMarker, pgpcert.TagPadding:
		default:
			others++
		}
	}
	switch {
	case encrypted > 0:
		return refuse(verifier.Unsupported, verifier.Finding{
			Code: "encrypted-message", Detail: "an encrypted OpenPGP message; whether it is signed inside cannot be seen", Fix: signAnew,
		})
	case others > 0 || contents > 1:
		return refuse(verifier.Malformed, verifier.Finding{
			Code: "several-messages", Detail: "an OpenPGP message of several parts, not all of which a signature would cover",
		})
	case signatures > 0 && contents == 0:
		return refuse(verifier.Unsigned, verifier.Finding{
			Code: "detached-signature", Detail: "a detached signature, without the text that it is for", Fix: signAnew,
		})
	case signatures > 0 || slices.Contains(tags, pgpcert.TagCompressed) && signedInside(data):
		return refuse(verifier.Unsupported, verifier.Finding{
			Code: "opaque-signed", Detail: "a signed OpenPGP message that is not clear-signed: its text cannot be read as it is", Fix: signAnew,
		})
	default:
		return refuse(verifier.Unsigned, verifier.Finding{
			Code: "unsigned-message", Detail: "an OpenPGP message without a signature; gpg --decrypt takes it with exit code 0", Fix: signAnew,
		})
	}
}

// signedInside reports whether a compressed packet begins with a signature. Only
// the first byte is decompressed.
func signedInside(data []byte) bool {
	p, err := packet.Read(bytes.NewReader(data))
	if err != nil {
		return false
	}
	compressed, ok := p.(*packet.Compressed)
	if !ok {
		return false
	}
	var head [1]byte
	if n, _ := compressed.Body.Read(head[:]); n != 1 || head[0]&0x80 == 0 {
		return false
	}
	tag := head[0] & 0x3f
	if head[0]&0x40 == 0 {
		tag = head[0] >> 2 & 0x0f
	}
	return tag == pgpcert.TagSignature || tag == pgpcert.TagOnePassSignature
}
