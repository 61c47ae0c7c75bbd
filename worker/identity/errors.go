package identity

import "fmt"

// Codes of TokenError: stable words, in docs/policy.md.
const (
	codeSize      = "token-size"
	codeFormat    = "token-format"
	codeHeader    = "token-header"
	codeAlgorithm = "token-algorithm"
	codeIssuer    = "token-issuer"
	codeKey       = "token-key"
	codeSignature = "token-signature"
	codeAudience  = "token-audience"
	codeExpired   = "token-expired"
	codeNotYet    = "token-not-yet"
	codeTooOld    = "token-too-old"
	codeClaims    = "token-claims"
	codePins      = "token-pins"
)

// TokenError says that a token proves nothing: the answer is no.
type TokenError struct {
	Code string
	Msg  string
	Hint string // may be empty
}

func (e *TokenError) Error() string { return e.Code + ": " + e.Msg }

func refuse(code, format string, args ...any) *TokenError {
	return &TokenError{Code: code, Msg: fmt.Sprintf("the token "+format, args...)}
}

// KeysError says that the keys of an issuer cannot be had, so that nothing can be
// said about its tokens: it is for the operator of the machine to mend.
type KeysError struct {
	Issuer string
	Err    error
}

func (e *KeysError) Error() string { return fmt.Sprintf("keys of the issuer %q: %v", e.Issuer, e.Err) }

// Unwrap returns the cause.
func (e *KeysError) Unwrap() error { return e.Err }

// quoted is foreign text for a message.
func quoted(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
