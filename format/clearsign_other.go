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
// is signed or not. The name decides nothing: GnuPG does not ask for it either.
func otherOpenPGP(name string, data []byte) verifier.Outcome {
	start := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	line := 1 + bytes.Count(data[:len(data)-len(start)], []byte("\n"))
	first, _, _ := bytes.Cut(start, []byte("\n"))
	if label, armored := cleartext.Label(first); armored {
		return armoredOpenPGP(label, line, start)
	}
	if bytes.HasPrefix(first, []byte("-----BEGIN PGP ")) {
		return refuse(verifier.Malformed, verifier.Finding{
			Code: string(cleartext.MarkerWithText), Line: line, Detail: "the first line begins an OpenPGP block and goes on with something else",
		})
	}
	if tags, message := binaryMessage(data); message {
		return openPGPMessage(tags, data)
	}
	isAsc := strings.EqualFold(path.Ext(name), runbook.SignatureExt)
	switch at := embeddedMessage(data); {
	case at > 0 && isAsc:
		return refuse(verifier.Malformed, embedded(at))
	case at > 0:
		return verifier.Outcome{Findings: []verifier.Finding{embedded(at)}}
	case !isAsc:
		return verifier.Outcome{}
	case len(data) == 0:
		return notSigned("empty-file", "the file is empty")
	default:
		return notSigned("not-clearsigned", "the name ends in .asc, and the file is not clear-signed text")
	}
}

// binaryMessage reports whether all of data is OpenPGP packets, the first of
// which begins a message, a signature or a key. Text in another character set
// may begin with such an octet, and does not go on so.
func binaryMessage(data []byte) (tags []byte, message bool) {
	if len(data) == 0 || data[0]&0x80 == 0 {
		return nil, false
	}
	tags, err := pgpcert.Tags(data, maxMessagePackets)
	if err != nil || len(tags) == 0 {
		return nil, false
	}
	switch tags[0] {
	case pgpcert.TagUserID, pgpcert.TagUserAttribute, pgpcert.TagPublicSubkey, pgpcert.TagSecretSubkey, pgpcert.TagTrust:
		return nil, false // nothing begins with these
	}
	return tags, tags[0] <= pgpcert.TagPadding
}

// embeddedMessage is the line of the first armored message behind the start of
// a file; 0 for none. gpg --decrypt passes over what precedes it.
func embeddedMessage(data []byte) (line int) {
	i := bytes.Index(data, []byte("\n-----BEGIN PGP MESSAGE"))
	if i < 0 {
		return 0
	}
	return 2 + bytes.Count(data[:i], []byte("\n"))
}

func embedded(line int) verifier.Finding {
	return verifier.Finding{
		Code: "embedded-message", Line: line,
		Detail: "an OpenPGP message begins here: gpg --decrypt takes it for the whole file, and an interpreter runs what is around it",
	}
}

// notSigned says of a file that could be clear-signed that it is not.
func notSigned(code, detail string) verifier.Outcome {
	return verifier.Outcome{Capable: true, Findings: []verifier.Finding{{Code: code, Detail: detail, Fix: signAnew}}}
}

const signAnew = "sign the runbook itself with writ sign, which makes clear-signed text"

// What is said of a detached signature that is looked at by itself.
const (
	detachedAlone = "a detached signature, without the text that it is for"
	putBeside     = "put it beside the file that it signs, as NAME.sig or NAME.asc, and name that file"
)

// maxMessagePackets is how many packets of a message are looked at.
const maxMessagePackets = 64

func armoredOpenPGP(label string, line int, data []byte) verifier.Outcome {
	finding := verifier.Finding{Line: line, Fix: signAnew}
	switch label {
	case "PGP SIGNATURE":
		finding.Code = "detached-signature"
		finding.Detail, finding.Fix = detachedAlone, putBeside
	case "PGP PUBLIC KEY BLOCK":
		finding.Code = "key-block"
		finding.Detail = "an OpenPGP certificate, not a runbook"
		finding.Fix = ""
	case "PGP PRIVATE KEY BLOCK":
		finding.Code = "secret-key-block"
		finding.Detail = "an OpenPGP secret key, not a runbook"
		finding.Fix = "keep the key in a safe place, and consider it exposed"
	case "PGP MESSAGE":
		return armoredMessage(line, data)
	default:
		finding.Code = "unknown-armor"
		finding.Detail = "an armored OpenPGP block of a kind that is not clear-signed text"
		return refuse(verifier.Malformed, finding)
	}
	return refuse(verifier.Unsigned, finding)
}

// armoredMessage looks into the armor of a message, which must be all of the
// file.
func armoredMessage(line int, data []byte) verifier.Outcome {
	malformed := func(code, detail string) verifier.Outcome {
		return refuse(verifier.Malformed, verifier.Finding{Code: code, Line: line, Detail: detail})
	}
	blocks, err := cleartext.Dearmor(data)
	switch {
	case err != nil, len(blocks) == 0, slices.ContainsFunc(blocks, func(b cleartext.Block) bool { return b.Err != nil }):
		return malformed(string(cleartext.BadArmor), "an OpenPGP message in broken armor")
	case len(blocks) > 1:
		return malformed("several-messages", "an OpenPGP message, and another block behind it")
	case !bytes.HasSuffix(bytes.TrimRight(data, " \t\r\n"), []byte("\n-----END PGP MESSAGE-----")):
		return malformed(string(cleartext.TextAfter), "an OpenPGP message, and something else behind it")
	}
	tags, err := pgpcert.Tags(blocks[0].Data, maxMessagePackets)
	if err != nil {
		return malformed("bad-packet", "an OpenPGP message with a broken packet")
	}
	return openPGPMessage(tags, blocks[0].Data)
}

// openPGPMessage tells signed messages from those that only look signed.
func openPGPMessage(tags []byte, data []byte) verifier.Outcome {
	var contents, signatures, encrypted, keys, others int
	for _, tag := range tags {
		switch tag {
		case pgpcert.TagLiteral, pgpcert.TagCompressed:
			contents++
		case pgpcert.TagSignature, pgpcert.TagOnePassSignature:
			signatures++
		case pgpcert.TagEncrypted, pgpcert.TagEncryptedIntegrity, pgpcert.TagEncryptedAEAD:
			encrypted++
		case pgpcert.TagPublicKeyEncrypted, pgpcert.TagSymmetricEncrypted, pgpcert.TagMarker, pgpcert.TagPadding:
		case pgpcert.TagPublicKey, pgpcert.TagSecretKey:
			keys++
		default:
			others++
		}
	}
	switch {
	case len(tags) > 0 && keys > 0 && (tags[0] == pgpcert.TagPublicKey || tags[0] == pgpcert.TagSecretKey):
		return refuse(verifier.Unsigned, verifier.Finding{Code: "key-block", Detail: "an OpenPGP certificate or key, not a runbook"})
	case keys > 0, others > 0, contents+encrypted > 1, len(tags) == maxMessagePackets:
		return refuse(verifier.Malformed, verifier.Finding{
			Code: "several-messages", Detail: "an OpenPGP message of several parts, not all of which a signature would cover",
		})
	case encrypted > 0:
		return refuse(verifier.Unsupported, verifier.Finding{
			Code: "encrypted-message", Detail: "an encrypted OpenPGP message; whether it is signed inside cannot be seen", Fix: signAnew,
		})
	case signatures > 0 && contents == 0:
		return refuse(verifier.Unsigned, verifier.Finding{
			Code: "detached-signature", Detail: detachedAlone, Fix: putBeside,
		})
	case contents == 0:
		return refuse(verifier.Malformed, verifier.Finding{Code: "bad-packet", Detail: "an OpenPGP message without content"})
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
