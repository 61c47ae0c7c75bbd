package identity

import (
	"slices"
	"strings"
	"unicode"

	"github.com/runwrit/writ/internal/guid"
	"github.com/runwrit/writ/policy"
)

// Limits of what is taken over from claims.
const (
	maxSubject  = 255
	maxGroups   = 1_000
	maxMethods  = 20
	maxDisplay  = 200
	maxSPIFFEID = 2_048
)

// caller is whom the claims name. They are signed by the issuer, for the gate.
func (r *row) caller(claims map[string]any) (policy.Caller, *TokenError) {
	switch r.Mapping {
	case MappingEntra:
		return r.entra(claims)
	case MappingGitHub:
		return r.github(claims)
	case MappingSPIFFE:
		return r.spiffe(claims)
	default:
		return r.oidc(claims)
	}
}

// entra takes the tenant and the object for who it is: names and addresses can
// be given to somebody else.
func (r *row) entra(claims map[string]any) (policy.Caller, *TokenError) {
	tenant, version := r.tenant()
	if tid, _ := text(claims, "tid"); tid != tenant {
		return policy.Caller{}, refuse(codeClaims, "is of another tenant than its issuer")
	}
	if ver, _ := text(claims, "ver"); ver != version {
		return policy.Caller{}, refuse(codeClaims, "is of another version than its issuer gives")
	}
	oid, _ := text(claims, "oid")
	if !guid.Valid(oid) {
		return policy.Caller{}, refuse(codeClaims, "names no object of its tenant (oid)")
	}
	kind := KindEntraUser
	switch sub, _ := text(claims, "sub"); claims["idtyp"] {
	case nil:
		if sub == oid { // so it is in tokens that an application got for itself
			kind = KindEntraApp
		}
	case "app":
		kind = KindEntraApp
	case "user":
	default:
		return policy.Caller{}, refuse(codeClaims, "names neither a user nor an application (idtyp)")
	}
	roles, bad := words(claims, "roles")
	if bad != nil {
		return policy.Caller{}, bad
	}
	listed, bad := words(claims, "groups")
	if bad != nil {
		return policy.Caller{}, bad
	}
	_, there := claims["groups"]
	c := policy.Caller{
		Kind: kind, ID: "entra:" + tenant + ":" + oid, Roles: roles, Groups: []string{},
		GroupsComplete: there && !overage(claims), Display: display(claims, "name", "preferred_username", "app_displayname"),
	}
	for _, g := range listed {
		if !guid.Valid(g) { // a name of a group: the tenant is set up to send those
			c.GroupsComplete = false
			continue
		}
		c.Groups = append(c.Groups, "entra:"+tenant+":"+g)
	}
	return c, nil
}

// overage says that Entra left groups out, because they were too many.
func overage(claims map[string]any) bool {
	if v, there := claims["hasgroups"]; there && v != false {
		return true
	}
	names, there := claims["_claim_names"]
	if !there {
		return false
	}
	fields, ok := names.(map[string]any)
	_, groups := fields["groups"]
	return !ok || groups
}

// github takes the number of the repository for who it is: its name can be given
// to another one.
func (r *row) github(claims map[string]any) (policy.Caller, *TokenError) {
	for _, name := range pinnable {
		values := r.Pins[name]
		if got, _ := text(claims, name); len(values) > 0 && !slices.Contains(values, got) {
			return policy.Caller{}, refuse(codePins, "has the %s %s, which the table does not name", name, quoted(got))
		}
	}
	repository, _ := text(claims, "repository_id")
	owner, _ := text(claims, "repository_owner_id")
	if !isNumber(repository) || !isNumber(owner) {
		return policy.Caller{}, refuse(codeClaims, "does not say the numbers of its repository and of the owner")
	}
	c := policy.Caller{
		Kind: KindGitHub, ID: "github:" + repository, Roles: []string{}, Groups: []string{"github:owner:" + owner},
		GroupsComplete: true, Display: display(claims, "repository"),
	}
	for _, g := range []struct{ claim, group string }{
		{"ref", "github:ref:" + repository + ":"}, {"environment", "github:environment:" + repository + ":"}, {"job_workflow_ref", "github:workflow:"},
	} {
		switch v, _ := text(claims, g.claim); {
		case v == "":
		case printable(v):
			c.Groups = append(c.Groups, g.group+v)
		default: // such an environment: no grants.yaml can name it
			c.GroupsComplete = false
		}
	}
	return c, nil
}

func (r *row) spiffe(claims map[string]any) (policy.Caller, *TokenError) {
	sub, _ := text(claims, "sub")
	path := strings.TrimPrefix(sub, "spiffe://"+r.TrustDomain+"/")
	odd := func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != ""
	}
	if len(sub) > maxSPIFFEID || slices.ContainsFunc(strings.Split(path, "/"), odd) {
		return policy.Caller{}, refuse(codeClaims, "has a subject that is no SPIFFE ID")
	}
	return policy.Caller{
		Kind: KindSPIFFE, ID: sub, Roles: []string{}, Groups: []string{"spiffe://" + r.TrustDomain}, GroupsComplete: true,
	}, nil
}

func (r *row) oidc(claims map[string]any) (policy.Caller, *TokenError) {
	sub, _ := text(claims, "sub")
	if len(sub) > maxSubject || !printable(sub) {
		return policy.Caller{}, refuse(codeClaims, "has no subject, or one with blanks or other than ASCII")
	}
	c := policy.Caller{
		Kind: KindOIDC, ID: "oidc:" + r.Issuer.Issuer + "#" + sub, Roles: []string{}, Groups: []string{},
		Display: display(claims, "name", "preferred_username"),
	}
	if r.RolesClaim != "" {
		var bad *TokenError
		if c.Roles, bad = words(claims, r.RolesClaim); bad != nil {
			return policy.Caller{}, bad
		}
	}
	if r.GroupsClaim != "" {
		listed, bad := words(claims, r.GroupsClaim)
		if bad != nil {
			return policy.Caller{}, bad
		}
		_, c.GroupsComplete = claims[r.GroupsClaim]
		for _, g := range listed {
			c.Groups = append(c.Groups, "oidc:"+r.Issuer.Issuer+"#"+g)
		}
	}
	return c, nil
}

// words are the texts of a claim that is a list. One that is odd, or too many,
// refuse the token: what is left out could be what a policy excludes.
func words(claims map[string]any, name string) ([]string, *TokenError) {
	list, ok := listOf(claims, name)
	if !ok || len(list) > maxGroups || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > maxSubject || shown(s) != s }) {
		return nil, refuse(codeClaims, "has a claim %q that is not a list of at most %d plain texts", name, maxGroups)
	}
	return append([]string{}, list...), nil
}

// methods are the ways of signing in; what is no such list says nothing.
func methods(claims map[string]any) []string {
	list, ok := listOf(claims, "amr")
	if !ok || len(list) > maxMethods || slices.ContainsFunc(list, func(s string) bool { return len(s) > 64 || !printable(s) }) {
		return []string{}
	}
	return append([]string{}, list...)
}

// display is the first of the claims that people may read.
func display(claims map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := text(claims, name); ok {
			s = shown(s)
			return strings.ToValidUTF8(s[:min(len(s), maxDisplay)], "")
		}
	}
	return ""
}

// shown leaves out what would deceive whoever reads it.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
}

func isNumber(s string) bool {
	return s != "" && len(s) < 64 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}
