package format_test

import "testing"

// lastAdversarial is the last number of the adversarial list.
const lastAdversarial = 92

// adversarial maps each number of the list of known attacks on signed scripts to
// the tests that make it.
var adversarial = attackList{
	1:  {"code after the end line", "`malformed`, `trailing`", "TestAdversarialLayout/01 TestAdversarialTypes/01 TestAdversarialScriptFiles/01", ""},
	2:  {"blank lines after the end line", "`malformed`, `trailing`", "TestAdversarialLayout/02", ""},
	3:  {"spaces after the end marker", "`malformed`", "TestAdversarialLayout/03", ""},
	4:  {"code inside the block, before its end", "`malformed`", "TestAdversarialLayout/04", ""},
	5:  {"code between base64 lines", "`malformed`, `junk-in-block`", "TestAdversarialLayout/05 TestAdversarialTypes/05", ""},
	6:  {"text after the base64 of a line", "`malformed`, `junk-in-block`", "TestAdversarialLayout/06 TestAdversarialTypes/06", ""},
	7:  {"another character for the CR before the block", "`malformed`, `block-not-preceded-by-crlf`", "TestAdversarialLayout/07 TestAdversarialTypes/07", ""},
	8:  {"a begin marker as the first line of a signed file", "`malformed`, `two-blocks`", "TestAdversarialLayout/08", ""},
	9:  {"a begin marker with a suffix, then code, then a block", "`malformed`, `look-alike-marker`", "TestAdversarialLayout/09", ""},
	10: {"two blocks", "`malformed`, `two-blocks`", "TestAdversarialLayout/10 TestAdversarialTypes/10 TestAdversarialScriptFiles/10", ""},
	11: {"code between two blocks", "`malformed`, `two-blocks`", "TestAdversarialLayout/11 TestAdversarialScriptFiles/11", ""},
	12: {"the block is the whole file", "`malformed`", "TestAdversarialLayout/12", ""},
	13: {"", "", "", notInTheList},
	14: {"all line ends are LF", "`damaged`, and how to repair it", "TestAdversarialLayout/14 TestDamageDetailsSayHowToRepair/content_and_block TestAdversarialTypes/14", ""},
	15: {"LF in the block, the content is right", "`damaged`, and how to repair it", "TestAdversarialLayout/15 TestDamageDetailsSayHowToRepair/the_block_only", ""},
	16: {"all line ends are CR", "`malformed`", "TestAdversarialLayout/16", ""},
	17: {"markers in lower case", "`malformed`, `look-alike-marker`", "TestAdversarialLayout/17", ""},
	18: {"a space behind the begin marker", "`malformed`", "TestAdversarialLayout/18 TestAdversarialTypes/18", ""},
	19: {"an indented block", "`malformed`", "TestAdversarialLayout/19", ""},
	20: {"no line end at the end of the file", "`damaged`", "TestAdversarialLayout/20", ""},
	21: {"no end marker", "`malformed`", "TestAdversarialLayout/21", ""},
	22: {"bytes behind the DER in the base64", "`malformed`, `trailing-der`", "TestAdversarialLayout/22 TestBytesBehindTheSignatureAreTrailing", ""},
	23: {"base64 lines of 76", "`malformed`: one layout only", "TestAdversarialLayout/23", ""},
	24: {"all base64 on one line", "`malformed`: one layout only", "TestAdversarialLayout/24", ""},
	25: {"base64 lines of 62", "`malformed`: one layout only", "TestAdversarialLayout/25", ""},
	26: {"spaces in the base64", "`malformed`, `junk-in-block`", "TestAdversarialLayout/26", ""},
	27: {"empty comment lines in the block", "`malformed`, `junk-in-block`", "TestAdversarialLayout/27", ""},
	28: {"a NUL in the content", "`tampered`, `nul`", "TestAdversarialLayout/28", ""},
	29: {"a character changed", "`tampered`", "TestAdversarialLayout/29 TestNoFlippedBitStaysValid TestAdversarialTypes/29 TestNoFlippedBitOfAnyTypeStaysValid", ""},
	30: {"a byte-order mark added", "`damaged`, and how to repair it", "TestAdversarialEncodings/30", ""},
	31: {"a blank line added", "`tampered`", "TestAdversarialLayout/31", ""},
	32: {"the marker in a string (legitimate)", "`valid`", "TestAdversarialEncodings/32", ""},
	33: {"a block in a here-string (legitimate)", "the signer refuses; `malformed`, `two-blocks`", "TestAdversarialLayout/33 TestHereStringWithMarkersLosesNothing TestNoAdviceOfASignerLosesTheScript", ""},
	34: {"invalid bytes swapped for others that become the same text", "never valid, `lossy-decode`", "TestAdversarialEncodings/34", ""},
	35: {"UTF-8 with a mark made UTF-16LE", "`valid`: the same text; the digest of the bytes is another", "TestAdversarialEncodings/35", ""},
	36: {"UTF-16LE with units like 0A0A and 010A", "`valid`", "TestAdversarialEncodings/36", ""},
	37: {"UTF-16BE", "`unsupported`, `utf-16be`", "TestAdversarialEncodings/37", ""},
	38: {"the block of a .mof rewritten for a .ps1", "`valid`: the format does not bind the extension; a policy may", "TestAdversarialEncodings/38", ""},
	39: {"a .psd1 with the name of a .ps1", "`valid`: the format does not bind the name; a policy may", "TestAdversarialEncodings/39 TestDecide/the_digest_of_the_file_can_match", ""},
	40: {"an empty script, or one under 4 bytes", "the signer refuses", "TestScriptsThatWouldNotVerifyEverywhereAreRefused/three_bytes TestScriptsThatWouldNotVerifyEverywhereAreRefused/empty TestAdversarialEncodings/40", ""},
	41: {"content without a line end (legitimate)", "`valid`", "TestAdversarialEncodings/41", ""},
	42: {"UTF-8 without a mark, signed as UTF-8", "`ambiguous`; the signer refuses", "TestAdversarialEncodings/42 TestScriptsThatWouldNotVerifyEverywhereAreRefused/UTF-8_without_BOM", ""},
	43: {"an odd number of bytes in UTF-16", "`malformed`, `trailing`", "TestAdversarialEncodings/43", ""},
	44: {"line separators that are not CR or LF (legitimate)", "`valid`", "TestAdversarialEncodings/44", ""},
	45: {"", "", "", notInTheList},
	46: {"a no-break space in the marker", "`malformed`, `look-alike-marker`", "TestAdversarialLayout/46", ""},
	47: {"no signed attributes", "`malformed`", "TestAdversarialMessages/47", ""},
	48: {"content type missing or wrong", "`malformed`", "TestAdversarialMessages/48", ""},
	49: {"the message digest twice", "`malformed`", "TestAdversarialMessages/49", ""},
	50: {"signed attributes not in the order of DER", "`malformed`", "TestAdversarialMessages/50", ""},
	51: {"the signature of another type of file", "`malformed`", "TestAdversarialMessages/51 TestAdversarialTypes/51 TestASignatureForAnotherTypeIsMalformed", ""},
	52: {"digest algorithms that differ", "`malformed`", "TestAdversarialMessages/52", ""},
	53: {"MD5 or SHA-1 throughout", "`weak`", "TestAdversarialAlgorithms/53", ""},
	54: {"a digest with more bytes", "`malformed`", "TestAdversarialMessages/54 TestAdversarialTypes/54 TestAdversarialScriptFiles/54", ""},
	55: {"two signers", "`malformed`", "TestAdversarialMessages/55", ""},
	56: {"the outer signer untrusted, a nested one trusted", "`untrusted`: the outer one counts", "TestANestedSignatureIsAnEntryOfItsOwn/56", ""},
	57: {"the outer digest wrong, a nested one right", "`tampered`", "TestANestedSignatureIsAnEntryOfItsOwn/57 TestNestedSignaturesDoNotMendAFile", ""},
	58: {"a nested signature by an untrusted signer", "`valid`, and the nested one `untrusted` in its own entry", "TestANestedSignatureIsAnEntryOfItsOwn/58", ""},
	59: {"unsigned attributes stuffed with kilobytes", "a finding; `malformed` above 4 KiB", "TestAdversarialMessages/59", ""},
	60: {"garbage for a timestamp", "counts as none, a finding", "TestAdversarialMessages/60 TestAttack67ASigningTimeInsideTheValidityIsNoEvidence", ""},
	61: {"BER with indefinite length", "`malformed`", "TestAdversarialBER/61", ""},
	62: {"RSA-PSS", "`unsupported`", "TestAdversarialMessages/62 TestAdversarialAlgorithms/62", ""},
	63: {"a field too many in the content", "`malformed`", "TestAdversarialMessages/63 TestNoChangedElementStaysValid", ""},
	64: {"a certificate for servers only", "`wrong-purpose`", "TestAdversarialCertificates/64", ""},
	65: {"a certificate without a purpose", "`wrong-purpose`", "TestAdversarialCertificates/65", ""},
	66: {"a key that is not for signatures", "`wrong-purpose`", "TestAdversarialCertificates/66", ""},
	67: {"expired, and a signing time inside the validity", "`expired`", "TestAdversarialCertificates/67 TestAttack67ASigningTimeInsideTheValidityIsNoEvidence", ""},
	68: {"expired, and a timestamp inside the validity", "`valid`, `signed_at_source` is `tsa`", "TestAttack68AnExpiredCertificateWithATimestampInsideItsValidityIsValid", ""},
	69: {"a timestamp after the expiry", "`expired`", "TestAttack69ATimestampAfterTheExpiryDoesNotHelp", ""},
	70: {"a lifetime-signing certificate that has expired", "`expired`", "TestAttack70ALifetimeSigningCertificateEndsItsSignatures", ""},
	71: {"an authority of times that is not for timestamps alone, and critical", "counts as none", "TestAttack71AnAuthorityThatIsNotForTimestampsAloneIsNone", ""},
	72: {"an imprint of another length", "counts as none", "TestAttack72AnImprintOfAnotherLengthIsRefused TestNoChangedElementOfATimestampSavesAnExpiredSignature", ""},
	73: {"several timestamps", "the first valid one counts", "TestAttack73OfSeveralTimestampsTheFirstValidOneCounts", ""},
	74: {"a time in the future, or before the certificate", "counts as none", "TestAttack74ATimeInTheFutureOrBeforeTheCertificateCountsForNothing", ""},
	75: {"a countersignature of something else", "counts as none", "TestAttack75ACountersignatureOfSomethingElseCountsForNothing", ""},
	76: {"a revoked certificate, before or after the trusted time", "`revoked`; a key in wrong hands beats the timestamp", "TestAdversarialRevocation/76 TestCaseRevokedBeforeOrAfterTheTrustedTime TestRevocationListsAreHonoured TestOCSPResponsesAreHonoured", ""},
	77: {"unknown or false roots, wrong chains, name and path limits", "`untrusted`", "TestAdversarialCertificates/77 TestAdversarialRootsInTheBag/77", ""},
	78: {"a code-signing leaf below an authority for servers", "`wrong-purpose`", "TestAdversarialCertificates/78", ""},
	79: {"RSA keys under 2048 bits", "`weak`", "TestAdversarialAlgorithms/79", ""},
	80: {"explicit curve parameters", "`malformed`", "TestAdversarialAlgorithms/80", ""},
	81: {"two certificates with one issuer and serial number", "`malformed`", "TestAdversarialMessages/81 TestTheSignerIsOneCertificateByIssuerAndSerial", ""},
	82: {"a signer named by its key", "`malformed`", "TestAdversarialMessages/82", ""},
	83: {"no signer, no digest algorithm, no certificates", "`malformed`", "TestAdversarialMessages/83", ""},
	84: {"thousands of certificates or attributes, deep nesting", "`malformed`, in bounded time", "TestAdversarialMessages/84 TestAdversarialSizes/84 TestAdversarialChains/84 TestTooManyNestedSignaturesAreMalformed TestBombsAreRefusedAtOnce", ""},
	85: {"huge base64, one line of megabytes", "`malformed`, in bounded time and memory", "TestAdversarialSizes/85 TestParsingTenMebibytesAllocatesLittle TestHostileTextTakesLinearTime", ""},
	86: {"an old version that is still validly signed", "`valid`: nothing in the format is fresh; a deny list or a policy names its digest", "TestAdversarialReplay/86 TestADeniedCertificateCannotBeWrittenInAnotherWay TestWhatADenyListNamesIsRevoked/the_signed_content TestDecide", ""},
	87: {"the file is replaced between verification and start", "the verified bytes run", "TestTheFileIsReplacedBetweenVerificationAndRun", ""},
	88: {"links, FIFOs and devices as input", "refused", "TestReadFileDoesNotHangOnAFIFO TestReadFileFollowsALinkOnlyWhenAsked TestReadFileRefusesFoldersDevicesAndMissingFiles", ""},
	89: {"smart quotes without a mark: other code in another host", "`ambiguous`", "TestAdversarialEncodings/89", ""},
	90: {"lone CR, bidirectional and zero-width characters before the block", "findings with their lines; the verdict stays, for they are signed", "TestAdversarialEncodings/90 TestHiddenCharactersAreSaidAndChangeNoVerdict", ""},
	91: {"look-alikes of the marker", "`malformed`, `look-alike-marker`", "TestAdversarialLayout/91", ""},
	92: {"a catalog that claims a file whose own signature is invalid", "the signature in the file decides; the catalog is a finding", "TestASignatureOfTheFileIsNeverHiddenByACatalog TestNoChangedElementOfACatalogStaysValid", ""},
}

func TestEachAdversarialNumberHasItsTests(t *testing.T) {
	t.Parallel()
	adversarial.hold(t, lastAdversarial)
}

// The page is made from the table, so that neither says what the other does not.
func TestTheAdversarialPageIsThatOfTheTable(t *testing.T) {
	t.Parallel()
	holdTable(t, "authenticode-attacks.md", "TestTheAdversarialPageIsThatOfTheTable", adversarial.table())
}
