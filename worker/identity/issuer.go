package identity

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/guid"
)

// Mappings of an Issuer: what kind of caller its tokens name.
const (
	MappingEntra  = "entra"
	MappingGitHub = "github"
	MappingSPIFFE = "spiffe"
	MappingOIDC   = "oidc"
)

// Bounds of an Issuer.
const (
	MaxSkew     = 5 * time.Minute
	MaxLifetime = 24 * time.Hour
)

// githubIssuer is the issuer of tokens of GitHub Actions; an enterprise may have
// its own name after a slash.
const githubIssuer = "https://token.actions.githubusercontent.com"

// Issuer is one row of the table of those whose tokens count.
type Issuer struct {
	Mapping string
	// Issuer is the claim iss, compared byte by byte. It may be left out for
	// SPIFFE, whose tokens are then found by their trust domain.
	Issuer string
	// TrustDomain is that of SPIFFE IDs.
	TrustDomain string
	// JWKS is the file that holds the keys; or else JWKSURL says where they are
	// fetched.
	JWKS, JWKSURL string
	// Audiences are who the gate is. Every audience of a token must be one of them.
	Audiences []string
	// Algorithms are those that count: RS256, PS256, ES256, EdDSA.
	Algorithms []string
	// Skew is how far the clocks may be apart.
	Skew time.Duration
	// MaxAge is how long ago a token may have been issued, MaxLifetime how long it
	// may be good for in all; 0 stands for a day.
	MaxAge, MaxLifetime time.Duration
	// Pins are claims that must have one of the values, for GitHub.
	Pins map[string][]string
	// GroupsClaim and RolesClaim name lists among the claims, for OpenID Connect.
	GroupsClaim, RolesClaim string
}

var (
	algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}
	mappings   = []string{MappingEntra, MappingGitHub, MappingSPIFFE, MappingOIDC}
	// pinnable are the claims of GitHub that pins may name. The names of
	// repositories and owners are not among them: somebody else can get them.
	pinnable = []string{"repository_id", "repository_owner_id", "job_workflow_ref", "environment", "ref", "event_name", "runner_environment"}
)

// Problem says what is wrong with the issuer, and with which field; "" for
// nothing.
func (i *Issuer) Problem() (field, problem string) {
	switch {
	case !slices.Contains(mappings, i.Mapping):
		return "mapping", "want one of " + strings.Join(mappings, ", ")
	case len(i.Audiences) == 0:
		return "audiences", "is missing: a token for somebody else would count"
	case len(i.Algorithms) == 0:
		return "algorithms", "is missing: want some of " + strings.Join(algorithms, ", ")
	case (i.JWKS == "") == (i.JWKSURL == ""):
		return "jwks", "want either jwks, a file, or jwks_url"
	case i.JWKS != "" && !filepath.IsAbs(i.JWKS):
		return "jwks", "want an absolute path"
	case i.JWKSURL != "" && !fetchable(i.JWKSURL):
		return "jwks_url", "want an https address, or an http address of this machine by its number"
	case i.Skew < 0 || i.Skew > MaxSkew:
		return "skew", "want at most " + MaxSkew.String()
	case i.MaxAge < 0 || i.MaxAge > MaxLifetime:
		return "max_age", "want at most " + MaxLifetime.String()
	case i.MaxLifetime < 0 || i.MaxLifetime > MaxLifetime:
		return "max_lifetime", "want at most " + MaxLifetime.String()
	}
	for _, a := range i.Algorithms {
		if !slices.Contains(algorithms, a) {
			return "algorithms", "want some of " + strings.Join(algorithms, ", ")
		}
	}
	if slices.ContainsFunc(i.Audiences, func(s string) bool { return !printable(s) }) {
		return "audiences", "want text in ASCII without blanks"
	}
	if field, problem := i.strayProblem(); problem != "" {
		return field, problem
	}
	return i.mappingProblem()
}

// strayProblem refuses what has no meaning for the mapping.
func (i *Issuer) strayProblem() (field, problem string) {
	const stray = "means nothing for this mapping"
	switch {
	case i.TrustDomain != "" && i.Mapping != MappingSPIFFE:
		return "trust_domain", stray
	case len(i.Pins) > 0 && i.Mapping != MappingGitHub:
		return "pins", stray
	case i.GroupsClaim != "" && i.Mapping != MappingOIDC:
		return "groups_claim", stray
	case i.RolesClaim != "" && i.Mapping != MappingOIDC:
		return "roles_claim", stray
	}
	return "", ""
}

func (i *Issuer) mappingProblem() (field, problem string) {
	switch i.Mapping {
	case MappingEntra:
		if tenant, _ := i.tenant(); tenant == "" {
			return "issuer", "want https://login.microsoftonline.com/TENANT/v2.0 or https://sts.windows.net/TENANT/, with the tenant's GUID in lower case"
		}
	case MappingGitHub:
		if rest, ok := strings.CutPrefix(i.Issuer, githubIssuer); !ok || rest != "" && (rest[0] != '/' || !printable(rest[1:]) || strings.Contains(rest[1:], "/")) {
			return "issuer", "want " + githubIssuer + ", perhaps with /ENTERPRISE; for another host use the mapping oidc"
		}
		if len(i.Pins["repository_id"]) == 0 && len(i.Pins["repository_owner_id"]) == 0 {
			return "pins", "want repository_id or repository_owner_id: the issuer gives tokens to everybody's repositories"
		}
		for name, values := range i.Pins {
			if !slices.Contains(pinnable, name) || len(values) == 0 || slices.ContainsFunc(values, func(s string) bool { return !printable(s) }) {
				return "pins", "want values for some of " + strings.Join(pinnable, ", ")
			}
		}
	case MappingSPIFFE:
		if !spiffeDomain(i.TrustDomain) {
			return "trust_domain", "want the name of a trust domain, in lower case"
		}
		if i.Issuer != "" && !printable(i.Issuer) {
			return "issuer", "want text in ASCII without blanks"
		}
	default:
		if !httpsIssuer(i.Issuer) {
			return "issuer", "want an https address without query and fragment"
		}
	}
	return "", ""
}

// overlaps says that a token could be of either issuer, so that the order of the
// table would say whom it names.
func (i *Issuer) overlaps(o *Issuer) bool {
	if i.TrustDomain == "" || o.TrustDomain == "" { // a subject of theirs may look like anything
		return i.Issuer == o.Issuer && i.Issuer != ""
	}
	return i.TrustDomain == o.TrustDomain && (i.Issuer == "" || o.Issuer == "" || i.Issuer == o.Issuer)
}

// entraHosts are where tenants of Entra have their issuers, of version 2 and of
// version 1.
var entraHosts = []struct{ prefix, suffix, version string }{
	{"https://login.microsoftonline.com/", "/v2.0", "2.0"},
	{"https://login.microsoftonline.us/", "/v2.0", "2.0"},
	{"https://login.partner.microsoftonline.cn/", "/v2.0", "2.0"},
	{"https://sts.windows.net/", "/", "1.0"},
	{"https://sts.chinacloudapi.cn/", "/", "1.0"},
}

// tenant is the tenant that the issuer is, and the version of its tokens; "" if
// it is none of Entra's.
func (i *Issuer) tenant() (tenant, version string) {
	for _, h := range entraHosts {
		rest, ok := strings.CutPrefix(i.Issuer, h.prefix)
		tenant, ok2 := strings.CutSuffix(rest, h.suffix)
		if ok && ok2 && guid.Valid(tenant) {
			return tenant, h.version
		}
	}
	return "", ""
}

func httpsIssuer(s string) bool {
	u, err := url.Parse(s)
	return err == nil && printable(s) && u.Scheme == "https" && u.Host != "" && u.User == nil && !strings.ContainsAny(s, "?#")
}

// fetchable says that keys may be fetched from an address: what is not encrypted
// must not leave the machine.
func fetchable(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !printable(s) || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, notIP := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && notIP == nil && ip.IsLoopback()
}

func printable(s string) bool {
	return s != "" && len(s) <= 1_024 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func spiffeDomain(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
