package identity

// Codes are those of TokenError.
var Codes = []string{
	codeSize, codeFormat, codeHeader, codeAlgorithm, codeIssuer, codeKey, codeSignature, codeAudience, codeExpired, codeNotYet, codeTooOld, codeClaims, codePins,
}
