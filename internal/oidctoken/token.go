// Package oidctoken gets the OpenID Connect token with which a job or a person
// asks for a certificate, from where it lies or from the service of a pipeline.
//
// A token is a secret for as long as it is valid: whoever has it can get a
// certificate in its owner's name. So it is bound to the one audience that is
// wanted, it is never printed by any verb of fmt or in JSON, and no error of this
// package holds a part of it or of what a server has answered.
//
// It does not verify the signature of a token: to whom it is sent does that.
package oidctoken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxSize is the largest token in bytes.
	MaxSize = 16 << 10
	// MinLeft is how long a token must still be valid: it has to reach its reader.
	MinLeft = 5 * time.Second
	// skew is how far ahead the clock of an issuer may be.
	skew     = 5 * time.Minute
	maxClaim = 2 << 10
)

// Token is a token that has been read. The zero value is none.
type Token struct {
	raw string
	// Issuer and Subject are what it says; nobody has verified it here.
	Issuer, Subject string
	// Email is set where the issuer says that it has verified it.
	Email string
	// Connector is the issuer behind the issuer, where that only passes on.
	Connector string
	// Workflow is the address of the workflow, where the token is that of a job of
	// GitHub or GitLab, as it stands in a certificate of Fulcio.
	Workflow string
	Expires  time.Time
}

// Raw is the token itself.
func (t Token) Raw() string { return t.raw }

// Format keeps the token out of messages, whatever verb is used.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("identity token (not shown)")) // fmt has no use for the error
}

// MarshalJSON keeps the token out of documents.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"identity token (not shown)"`), nil }

// Error says that there is no token, or that one is not fit to be sent. It holds
// nothing of a token but its issuer, its audience and its times.
type Error struct{ Source, Msg string }

func (e *Error) Error() string { return fmt.Sprintf("identity token from %s: %s", e.Source, e.Msg) }

// claims are those that matter here. Pointers tell what is there.
type claims struct {
	Issuer         string          `json:"iss"`
	Subject        string          `json:"sub"`
	Audience       audience        `json:"aud"`
	Expires        json.Number     `json:"exp"`
	NotBefore      json.Number     `json:"nbf"`
	Email          string          `json:"email"`
	EmailVerified  json.RawMessage `json:"email_verified"`
	Federated      federated       `json:"federated_claims"`
	JobWorkflowRef string          `json:"job_workflow_ref"`
	CIConfigRefURI string          `json:"ci_config_ref_uri"`
}

var claimNames = []string{"iss", "sub", "aud", "exp", "nbf", "email", "email_verified", "federated_claims", "job_workflow_ref", "ci_config_ref_uri"}

type federated struct {
	Connector string `json:"connector_id"`
}

// audience is one name, or a list of names.
type audience []string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("no audience")
	}
	*a = list
	return nil
}

// Parse reads a token from source, and refuses what is not fit to be sent: no JWT,
// for another audience or for others too, expired. Blanks around it do not count.
// It fails with *Error.
func Parse(source string, raw []byte, wanted string, now time.Time) (Token, error) {
	refuse := func(format string, args ...any) (Token, error) {
		return Token{}, &Error{source, fmt.Sprintf(format, args...)}
	}
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return refuse("there is none")
	case len(raw) > MaxSize:
		return refuse("more than %d bytes", MaxSize)
	}
	parts := strings.Split(string(raw), ".")
	if len(parts) != 3 || parts[2] == "" {
		return refuse("it is no signed JSON Web Token (three parts in base64url, with dots between them)")
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	if decodePart(parts[0], &header, "alg") != nil || decodePart(parts[1], &c, claimNames...) != nil || !isBase64(parts[2]) {
		return refuse("it is no JSON Web Token that can be read")
	}
	if header.Algorithm == "" || strings.EqualFold(header.Algorithm, "none") {
		return refuse("it is not signed")
	}
	for _, s := range []string{c.Issuer, c.Subject, c.Email, c.Federated.Connector, c.JobWorkflowRef, c.CIConfigRefURI} {
		if !plain(s) {
			return refuse("a claim is too long or not printable")
		}
	}
	if c.Issuer == "" || c.Subject == "" {
		return refuse("it does not say who has issued it, and for whom")
	}
	if why := c.Audience.problem(wanted); why != "" {
		return refuse("%s", why)
	}
	expires, why := c.times(now)
	if why != "" {
		return refuse("%s", why)
	}
	t := Token{raw: string(raw), Issuer: c.Issuer, Subject: c.Subject, Connector: c.Federated.Connector, Expires: expires}
	if c.Email != "" {
		if s := strings.Trim(string(c.EmailVerified), `"`); s != "true" { // some issuers write it as text
			return refuse("it names an address, and does not say that its issuer has verified that (email_verified): no certificate is given for it")
		}
		t.Email = c.Email
	}
	switch {
	case c.JobWorkflowRef != "":
		t.Workflow = c.JobWorkflowRef
	case c.CIConfigRefURI != "":
		t.Workflow = c.CIConfigRefURI
	}
	return t, nil
}

// Is tells what has the form of a token, even of one that is not fit to be sent, from
// the names of places where one may be.
func Is(s string) bool {
	first, _, more := strings.Cut(strings.TrimSpace(s), ".")
	var header map[string]any
	return more && decodePart(first, &header, "alg") == nil && header["alg"] != nil
}

// decodePart reads one part of a token: a JSON object and nothing behind it, of
// which these names count as they are written here.
func decodePart(part string, v any, names ...string) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	if !utf8.Valid(data) {
		return errors.New("not UTF-8")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	known := map[string]json.RawMessage{}
	for _, name := range names {
		if value, ok := all[name]; ok {
			known[name] = value
		}
	}
	if data, err = json.Marshal(known); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func isBase64(s string) bool {
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}

func plain(s string) bool {
	return len(s) <= maxClaim && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) || r == utf8.RuneError })
}

// problem: to whom a token is sent could use it wherever else it counts, so it
// must count nowhere else.
func (a audience) problem(wanted string) string {
	switch {
	case len(a) == 0:
		return "it does not say for whom it is (aud)"
	case len(a) > 1:
		return fmt.Sprintf("it is for %d audiences, and must be for %q alone: who gets it could use it with the others", len(a), wanted)
	case !plain(a[0]):
		return "its audience is too long or not printable"
	case a[0] != wanted:
		return fmt.Sprintf("it is for the audience %q, not for %q", a[0], wanted)
	}
	return ""
}

func (c *claims) times(now time.Time) (expires time.Time, why string) {
	if expires = numericDate(c.Expires); expires.IsZero() {
		return expires, "it does not say when it expires"
	}
	if left := expires.Sub(now); left < MinLeft {
		return expires, fmt.Sprintf("it has expired, or does now (%s; it is %s)", stamp(expires), stamp(now))
	}
	if c.NotBefore != "" {
		begin := numericDate(c.NotBefore)
		if begin.IsZero() || begin.Sub(now) > skew {
			return expires, "it is not valid yet"
		}
	}
	return expires, ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// numericDate returns the zero time for what is no date within the next centuries.
func numericDate(n json.Number) time.Time {
	f, err := n.Float64()
	if err != nil || f < 1 || f > 1<<36 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}
