package render

import "github.com/runwrit/writ/verifier"

// meaning says in one plain sentence what a verdict means.
func meaning(v verifier.Verdict) string {
	switch v {
	case verifier.Valid:
		return "every check passed; the payload is exactly what was signed"
	case verifier.Unsigned:
		return "there is no signature, or something that only looks like one"
	case verifier.Malformed:
		return "something stands around or inside the signature that must not be there"
	case verifier.Damaged:
		return "line ends were converted, or a byte-order mark was added, after signing; the signature is real"
	case verifier.Ambiguous:
		return "the bytes are read as different text on different hosts"
	case verifier.Noncanonical:
		return "the text has blanks or carriage returns that the signature does not cover"
	case verifier.Tampered:
		return "the signature is real, and the content is not what was signed"
	case verifier.BadSignature:
		return "the signature does not verify under the key that it names"
	case verifier.Untrusted:
		return "the signer is not trusted by the trust store"
	case verifier.Expired:
		return "certificate or signature are out of their time"
	case verifier.Revoked:
		return "the signer's key or certificate was revoked, or a deny list names it or the file"
	case verifier.Weak:
		return "the algorithm or the key is too weak to prove anything"
	case verifier.WrongPurpose:
		return "the key is not for signing runbooks, the signature is of another type, or what was signed is no runbook"
	case verifier.Unsupported:
		return "writ does not know this type of file or signature"
	case verifier.NotChecked:
	}
	return "a check could not be made, and what is not checked is not valid"
}

// Repair says what mends a file of this verdict; "" where nothing is to mend or
// only the operator of the trust store could. It never says to trust more.
func Repair(v verifier.Verdict) string {
	switch v {
	case verifier.Unsigned:
		return "have it signed by its owner: writ sign"
	case verifier.Malformed:
		return "take the clean source, without any signature, and sign it again"
	case verifier.Damaged:
		return "restore the line ends (for git: mark signed files \"-text\" in .gitattributes and check them out again), or sign the file again"
	case verifier.Ambiguous:
		return "save the source as UTF-8 with a byte-order mark (for the Windows Script Host as UTF-16 little endian), or in plain ASCII, and sign it again"
	case verifier.Noncanonical:
		return "remove trailing blanks and carriage returns from the source and sign it again"
	case verifier.Tampered, verifier.BadSignature:
		return "do not use it; fetch the original again, or have the owner review the content and sign it anew"
	case verifier.Revoked:
		return "have it signed with another key; a file that a deny list names stays revoked, whoever signs it"
	case verifier.Expired, verifier.Weak:
		return "have it signed again with a key that is valid today and meant for code signing"
	case verifier.WrongPurpose:
		return "have the runbook itself signed, with a key and a signature that are meant for it"
	case verifier.Unsupported:
		return "give it the extension of a runbook type that writ knows, and a signature of a format that writ knows"
	case verifier.Valid, verifier.Untrusted, verifier.NotChecked:
	}
	return ""
}
