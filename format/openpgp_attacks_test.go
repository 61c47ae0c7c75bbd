package format_test

import "testing"

// lastOpenPGPAttack is the last number of the list of attacks on OpenPGP.
const lastOpenPGPAttack = 85

// openpgpAttacks maps each number of the list of known attacks on clear-signed
// documents and keyrings to the tests that make it. Every attack is made by a
// file of the shared vectors as well, where there is one.
var openpgpAttacks = attackList{
	1:  {"a plain script", "`unsigned`", "TestOtherShapesAreRecognisedAndNamed/1", ""},
	2:  {"an empty file", "`unsigned`, `empty-file`", "TestOtherShapesAreRecognisedAndNamed/2 TestClearsignAttacksOnTheFile/an_empty_file", ""},
	3:  {"a certificate or key in the place of a runbook", "`unsigned`, `key-block`, `secret-key-block`", "TestOtherShapesAreRecognisedAndNamed/3", ""},
	4:  {"a detached signature alone", "`unsigned`, `detached-signature`", "TestOtherShapesAreRecognisedAndNamed/4", ""},
	5:  {"an unsigned message: literal, compressed, armored or binary", "`unsigned`, `unsigned-message`", "TestOtherShapesAreRecognisedAndNamed/5 TestOtherShapesOfGnuPGAreNamed TestTheShimRefusesWhatGnuPGRuns", ""},
	6:  {"an empty signature block", "`unsigned`, `no-signature`", "TestOtherShapesAreRecognisedAndNamed/6 TestTheShimRefusesWhatGnuPGRuns", ""},
	7:  {"no signature block", "`unsigned`, `no-signature-block`", "TestOtherShapesAreRecognisedAndNamed/7", ""},
	8:  {"an encrypted message", "`unsupported`, `encrypted-message`", "TestOtherShapesAreRecognisedAndNamed/8 TestTheShimRefusesWhatGnuPGRuns", ""},
	9:  {"text before the document", "`malformed`, `text-before`", "TestOtherShapesAreRecognisedAndNamed/9 TestLocateFindsMarkersThatOtherProgramsWouldFollow", ""},
	10: {"text behind the document", "`malformed`, `text-after`", "TestOtherShapesAreRecognisedAndNamed/10", ""},
	11: {"two documents", "`malformed`, `second-message`", "TestOtherShapesAreRecognisedAndNamed/11", ""},
	12: {"a second signature block", "`malformed`, `second-signature-block`", "TestOtherShapesAreRecognisedAndNamed/12", ""},
	13: {"a document inside a document", "`malformed`, `second-message`; escaped it is text", "TestOtherShapesAreRecognisedAndNamed/13 TestParseGivesTheCanonicalText/a_nested_message,_escaped", ""},
	14: {"a document and an unsigned message", "`malformed`", "TestOtherShapesAreRecognisedAndNamed/14", ""},
	15: {"an opaque signed message, alone or with a literal", "`unsupported`, `opaque-signed`; `malformed`, `several-messages`", "TestOtherShapesAreRecognisedAndNamed/15 TestTheShimRefusesWhatGnuPGRuns", ""},
	16: {"blanks and look-alikes before the marker", "`malformed`, `text-before`", "TestOtherShapesAreRecognisedAndNamed/16", ""},
	17: {"text on the line of a marker", "`malformed`, `marker-with-text`", "TestOtherShapesAreRecognisedAndNamed/17 TestParseRefuses/text_behind_the_end,_same_line", ""},
	18: {"no empty line before the text", "`malformed`, `no-blank-line`", "TestParseRefuses/no_blank_line TestParseRefuses/a_blank_line_of_blanks", ""},
	19: {"no end, a wrong label, junk in the armor or behind its checksum", "`malformed`", "TestOtherShapesAreRecognisedAndNamed/19 TestParseRefuses/the_signature_cut_off TestParseRefuses/a_signature_armored_as_a_message TestParseRefuses/junk_behind_the_checksum", ""},
	20: {"a script around a document: here-document, Python string", "`malformed`, `text-before`", "TestOtherShapesAreRecognisedAndNamed/20", ""},
	21: {"a byte-order mark, UTF-16, carriage returns alone", "`malformed`", "TestOtherShapesAreRecognisedAndNamed/21", ""},
	22: {"headers that nobody signs: Version, Comment, Charset, others", "`malformed`, `unknown-header`", "TestOpenPGPAttacksOnTheHeaders/22", ""},
	23: {"a line that is no header", "`malformed`, `no-blank-line`", "TestOpenPGPAttacksOnTheHeaders/23", ""},
	24: {"a Hash header with control characters, text, another form", "`malformed`", "TestOpenPGPAttacksOnTheHeaders/24", ""},
	25: {"a flood of headers", "`malformed`, `too-many-headers`, `line-too-long`", "TestOpenPGPAttacksOnTheHeaders/25", ""},
	26: {"NotDashEscaped: added, forged, or around a detached signature", "`malformed`, `not-dash-escaped-header`", "TestOpenPGPAttacksOnTheHeaders/26", ""},
	27: {"a Hash header that does not name the function used", "`malformed`", "TestOpenPGPAttacksOnTheHeaders/27", ""},
	28: {"a NUL in a line or at its end", "`malformed`, `nul`", "TestOpenPGPAttacksOnTheText/28", ""},
	29: {"a lone CR, which hides a command on a terminal", "`malformed`, `lone-cr`", "TestOpenPGPAttacksOnTheText/29", ""},
	30: {"form feed, vertical tab, no-break space, line separators", "`malformed` or `tampered`; a separator that is signed is a finding", "TestOpenPGPAttacksOnTheText/30", ""},
	31: {"characters that change the direction of the text", "`tampered`; a finding where they are signed", "TestOpenPGPAttacksOnTheText/31", ""},
	32: {"terminal escapes", "`malformed`, `control-character`", "TestOpenPGPAttacksOnTheText/32", ""},
	33: {"a dash-escape added, missing, or twice", "the same text, `malformed` or `tampered`", "TestOpenPGPAttacksOnTheText/33", ""},
	34: {"a blank that keeps a here-document open, and is not signed", "`noncanonical`; the signer refuses", "TestOpenPGPAttacksOnTheText/34 TestCheckTextRefusesWhatASignatureWouldNotCover/a_here-document's_terminator TestTextThatGnuPGWouldChangeIsRefused", ""},
	35: {"a blank between backslash and line end, which is not signed", "`noncanonical`; the signer refuses", "TestOpenPGPAttacksOnTheText/35 TestCheckTextRefusesWhatASignatureWouldNotCover/a_backslash_and_a_blank", ""},
	36: {"long lines: text behind the length that GnuPG reads", "`tampered` or `malformed`; the signer refuses over 19,000 bytes", "TestOpenPGPAttacksOnTheText/36 TestCheckTextRefusesWhatASignatureWouldNotCover/a_line_that_GnuPG_would_cut", ""},
	37: {"an empty line added", "`tampered`", "TestOpenPGPAttacksOnTheText/37", ""},
	38: {"floods of bytes, lines and escapes", "refused in bounded time and memory", "TestOpenPGPAttacksOnTheText/38 TestOpenPGPAttackAFileOverTheLimit TestParseRefuses/more_than_the_size_limit TestParseNeedsFarLessThanFourTimesTheFile", ""},
	39: {"a changed text or signature", "`tampered` or `bad-signature`", "TestClearsignAttacksOnTheFile/a_changed_text TestClearsignAttacksOnTheSignature/a_wrong_value TestClearsignNoBitFlipStaysValidWithAnotherPayload TestClearsignFlipsInsideThePacketAreRefused", ""},
	40: {"an expired key, and a signature from before", "`expired`: the date is the signer's own word", "TestOpenPGPAttacksOnTimeAndRevocation/40", ""},
	41: {"an expired key, and a signature from after", "`expired`", "TestOpenPGPAttacksOnTimeAndRevocation/41", ""},
	42: {"an expired subkey", "`expired`", "TestOpenPGPAttacksOnTimeAndRevocation/42 TestClearsignAttacksOnTheSubkey/an_expired_subkey", ""},
	43: {"a key revoked as compromised, without reason or for an unknown one", "`revoked`", "TestOpenPGPAttacksOnTimeAndRevocation/43 TestRevocationsThatCannotBeIgnored", ""},
	44: {"a superseded or retired key, and a signature from before", "`revoked`", "TestOpenPGPAttacksOnTimeAndRevocation/44", ""},
	45: {"a superseded key, and a signature from after", "`revoked`", "TestOpenPGPAttacksOnTimeAndRevocation/45", ""},
	46: {"a revoked subkey", "`revoked`", "TestOpenPGPAttacksOnTimeAndRevocation/46 TestClearsignAttacksOnTheSubkey/a_retired_subkey TestASubkeyThatStandsTwiceIsRevokedIfOneOfThemIs", ""},
	47: {"an expired signature", "`expired`", "TestOpenPGPAttacksOnTimeAndRevocation/47 TestClearsignAttacksOnTheSubpackets/two_lives,_the_first_without_end", ""},
	48: {"a signature from the future", "`expired`", "TestOpenPGPAttacksOnTimeAndRevocation/48 TestClearsignAttacksOnTheSubpackets/six_minutes_ahead", ""},
	49: {"a signature that is older than its key", "`expired`", "TestOpenPGPAttacksOnTimeAndRevocation/49 TestClearsignAttacksOnTheSubpackets/a_second_older_than_the_key", ""},
	50: {"a SHA-1 digest", "`weak`", "TestClearsignAttacksOnTheSignature/a_SHA-1_digest TestTheShimRefusesWhatGnuPGRuns", ""},
	51: {"a digest of MD5, RIPEMD-160 or SHA-224", "`weak`", "TestOpenPGPAttacksOnThePacket/51 TestClearsignAttacksOnTheSignature/a_SHA-224_digest", ""},
	52: {"short keys", "`weak` under 2048 bits, a finding under 3072", "TestTheShimRefusesWhatGnuPGRuns TestAShortKeyIsRefusedFromItsDayOn TestClearsignAttacksOnTheSignature/RSA_of_2048_bits", ""},
	53: {"a self-signature with SHA-1", "`weak`", "TestClearsignAttacksOnTheCertificate/a_self-signature_with_SHA-1", ""},
	54: {"a binding or back-signature with SHA-1", "`weak`", "TestClearsignAttacksOnTheSubkey/a_binding_with_SHA-1 TestClearsignAttacksOnTheSubkey/a_back-signature_with_SHA-1", ""},
	55: {"a signature over bytes in the place of one over text", "`wrong-purpose`", "TestClearsignAttacksOnTheSignature/a_binary_signature TestDetachedAndClearSignedSignaturesAreNotInterchangeable", ""},
	56: {"signatures of all other types", "`wrong-purpose`", "TestOpenPGPAttacksOnThePacket/56 TestDetachedAttacksOnTheSidecar/a_standalone_signature", ""},
	57: {"an unknown critical subpacket or notation", "`malformed`", "TestClearsignAttacksOnTheSubpackets/an_unknown_critical_subpacket TestClearsignAttacksOnTheSignature/a_critical_notation", ""},
	58: {"an unknown subpacket that is not critical (legitimate)", "`valid`", "TestClearsignAttacksOnTheSubpackets/an_unknown_subpacket", ""},
	59: {"signatures of versions 3 and 5", "`unsupported`", "TestOpenPGPAttacksOnThePacket/59", ""},
	60: {"the issuer fingerprint of another key", "`malformed`", "TestClearsignAttacksOnTheSubpackets/another_fingerprint,_and_its_own_key_ID TestClearsignAttacksOnTheSubpackets/another_key_ID_that_is_not_hashed", ""},
	61: {"the key ID alone, which several keys may have", "each is tried; the one that signed counts", "TestClearsignAttacksOnTheSubpackets/the_key_ID_alone,_not_hashed TestClearsignASignerOfTwoCertificatesIsNamedByTheOneThatItBelongsTo", ""},
	62: {"two creation times, or none", "`malformed`", "TestClearsignAttacksOnTheSubpackets/the_same_creation_time_twice TestClearsignAttacksOnTheSubpackets/no_creation_time", ""},
	63: {"an unknown signer beside a good one", "`valid`, and the other in its own entry; a setting refuses", "TestClearsignAttacksOnTheSignature/an_unknown_signer_beside_a_good_one TestOpenPGPSettingsLiftOneRuleOfOneStore", ""},
	64: {"a bad signature by a known key beside a good one", "the bad one decides", "TestClearsignAttacksOnTheSignature/a_good_signature,_then_a_bad_one TestClearsignASecondSignatureOfANewAlgorithm/by_a_known_key", ""},
	65: {"a wrong checksum, junk in the base64", "`malformed`", "TestOpenPGPAttacksOnThePacket/65 TestParseRefuses/padding_inside_the_base64 TestParseRefuses/loose_bits_in_the_padding", ""},
	66: {"bytes behind the value, a wrong beginning of the digest", "`malformed`", "TestOpenPGPAttacksOnThePacket/66 TestSignaturesOfOddFormsAreRefused", ""},
	67: {"a detached signature over text, put into a document", "`valid` with the text that was signed, and no other", "TestOpenPGPAttacksOnThePacket/67", ""},
	68: {"a key that is not said to sign", "`wrong-purpose`", "TestClearsignAttacksOnTheCertificate/flags_that_are_not_hashed TestClearsignAttacksOnTheCertificate/a_newer_self-signature_without_the_flag TestClearsignAttacksOnTheSubkey/empty_flags", ""},
	69: {"a subkey that has not signed its primary key back", "`wrong-purpose`", "TestClearsignAttacksOnTheSubkey/no_back-signature TestASubkeyCannotBeAdopted", ""},
	70: {"versions and algorithms that nobody here knows", "`unsupported`, but for those of unknown keys beside a good one", "TestClearsignASecondSignatureOfANewAlgorithm", ""},
	71: {"no issuer", "`malformed`", "TestClearsignAttacksOnTheSubpackets/no_issuer", ""},
	72: {"a value of zeros", "`bad-signature`", "TestOpenPGPAttacksOnThePacket/72", ""},
	73: {"status lines and terminal escapes in notations, URLs, names and user IDs", "never printed as they are", "TestClearsignAttacksOnTheSignature/a_notation_that_looks_like_gpg_status TestNothingHostileLeavesARenderer TestEscapeShowsWhatCouldDeceive", ""},
	74: {"a flood of signatures", "`malformed`, `too-many-signatures`", "TestClearsignAttacksOnTheFile/a_flood_of_signatures TestKeysThatWouldKeepAVerifierBusyAreNotUsed", ""},
	75: {"other packets in the signature block", "`malformed`, `foreign-packet`", "TestClearsignAttacksOnTheFile/a_literal_packet_beside_the_signature TestClearsignAttacksOnTheFile/a_marker_packet_in_the_block", ""},
	76: {"an impostor with the signer's user ID", "`untrusted`", "TestClearsignAttacksOnTheSignature/an_impostor's_user_ID TestClearsignASignerIsNotShownByANameThatSomebodyAdded", ""},
	77: {"the user ID of somebody else in the signature", "`valid`, by the key that signed", "TestOpenPGPAttacksOnThePacket/77", ""},
	78: {"a signature inside the signature", "`malformed`", "TestOpenPGPAttacksOnThePacket/78 TestClearsignAttacksOnTheSubpackets/a_signature_inside_that_is_not_hashed", ""},
	79: {"the file is replaced between verification and run", "the verified bytes run", "TestTheFileIsReplacedBetweenVerificationAndRun TestNobodyElseCanWriteToTheRunningScript TestTheShimLeavesNothingThatCouldBeTakenForVerified", ""},
	80: {"an old version that is still validly signed", "`valid`; denied where a rule wants a newer one", "TestAReplayOfAnOldSignedVersionIsDenied TestOnlyWellMadeClaimsThatAreSignedCount TestClearsignWhatADenyListNamesIsRevoked", ""},
	81: {"a runbook under another name or of another kind", "denied: `claim-contradicts`", "TestClaimsThatContradictTheFileDeny TestNoPolicyLiftsAContradiction TestWhatAKeySignedElsewhereIsARunbookUnlessANamespaceIsDemanded", ""},
	82: {"arguments, which nobody signs", "all of them reach the policy", "TestArgumentsAllReachThePolicy TestArgumentsThatAreRefused TestArgumentsArriveAsTheyAre", ""},
	83: {"a keyring that others can write, gpg.conf, GNUPGHOME", "refused, or not looked at", "TestAGuardedTrustStoreIsNotForOthersToWrite TestTheShimWantsAKeyringThatOthersCannotWrite TestTheShimRefusesWhatGnuPGRuns TestOnlyTheWorkerAndTheFilesThatAskForKeysStartProcesses", ""},
	84: {"one list of keys in many goroutines", "the same verdicts, without a race", "TestClearsignCheckerIsSafeForManyGoroutines TestOpenPGPEightVerifiersOnOneStore", ""},
	85: {"exit codes that mean several things", "one verdict, one meaning each", "TestZeroValuesSayNo TestWorstIsTheFirstOfTheOrder TestExitCode TestTheShimAnswersOneCommandLineOnly", ""},
}

func TestEachOpenPGPAttackHasItsTests(t *testing.T) {
	t.Parallel()
	openpgpAttacks.hold(t, lastOpenPGPAttack)
}

// The page is made from the table, as that of Authenticode is.
func TestTheOpenPGPPageIsThatOfTheTable(t *testing.T) {
	t.Parallel()
	holdTable(t, "openpgp-attacks.md", "TestTheOpenPGPPageIsThatOfTheTable", openpgpAttacks.table())
}
