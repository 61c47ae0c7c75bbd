package broker

import (
	"crypto/subtle"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/audience"
)

// question is a request of the runbook itself for a token: it has shown the secret.
type question struct{ audience string }

// Versions of the protocols.
const (
	version2017 = "2017-09-01" // of App Service: MSI_ENDPOINT and MSI_SECRET
	version2019 = "2019-08-01" // of App Service
)

var arcVersions = []string{"2020-06-01", "2019-11-01"}

func (e *Endpoint) path() string {
	if e.o.Protocol == Arc {
		return "/metadata/identity/oauth2/token"
	}
	return "/msi/token"
}

// relayed are headers of requests that somebody passes on for somebody else: a proxy, or
// a browser for a page that it shows. Those that end in "-" stand for all that begin so.
var relayed = []string{
	"forwarded", "via", "x-forwarded-", "x-real-ip", "x-client-ip", "x-original-", "origin", "referer", "cookie", "sec-",
}

// question reads what r asks for, and fails with *refusalError. What it says to those who do
// not know the secret depends on nothing but what they have sent.
func (e *Endpoint) question(r *request) (*question, error) {
	if r.header["host"] != e.host {
		// So that no name which a page has resolved to this address is one of ours.
		return nil, refuse(400, "host", "the request is for another host")
	}
	for name := range r.header {
		if slices.ContainsFunc(relayed, func(s string) bool { return name == s || strings.HasSuffix(s, "-") && strings.HasPrefix(name, s) }) {
			return nil, refuse(400, "forwarded", "the request was passed on, or comes from a browser")
		}
	}
	switch {
	case r.method != "GET":
		return nil, refuse(405, "method", "want GET")
	case strings.TrimSuffix(r.path, "/") != e.path(): // old clients of Python put a slash behind it
		return nil, refuse(404, "path", "there is nothing here")
	}
	p, err := parameters(r.query)
	if err != nil {
		return nil, err
	}
	if err := e.identify(r, p["api-version"]); err != nil {
		return nil, err
	}
	for _, name := range identities {
		if id := p[name]; id != "" && (id != e.o.ClientID || !strings.HasPrefix(name, "client")) {
			return nil, refuse(400, "identity", "there is no such identity: ask without a name, or for the one that is configured")
		}
	}
	if bad := audience.Problem(p["resource"]); bad != "" {
		return nil, refuse(400, "resource", "resource: "+bad)
	}
	return &question{p["resource"]}, nil
}

// identities are the parameters that name one of several identities.
var identities = []string{"client_id", "clientid", "object_id", "principal_id", "mi_res_id", "msi_res_id"}

// parameters reads a query: each name once, and none that it does not know.
func parameters(query string) (map[string]string, error) {
	p := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if !ok || err != nil || name != "resource" && name != "api-version" && !slices.Contains(identities, name) {
			return nil, refuse(400, "parameters", "want the parameters resource and api-version, and no unknown one")
		}
		if _, twice := p[name]; twice {
			return nil, refuse(400, "parameter-twice", "the parameter "+name+" is there twice")
		}
		p[name] = value
	}
	return p, nil
}

// identify lets pass who shows the secret.
func (e *Endpoint) identify(r *request, version string) error {
	if e.o.Protocol == Arc {
		return e.identifyArc(r, version)
	}
	header := map[string]string{version2019: "x-identity-header", version2017: "secret"}[version]
	if header == "" {
		return refuse(400, "api-version", fmt.Sprintf("want api-version %s, or %s", version2019, version2017))
	}
	if !e.isSecret(r.header[header]) {
		e.refused.Add(1)
		return refuse(401, "secret", "the header with the secret of this run is missing or wrong")
	}
	return nil
}

func (e *Endpoint) identifyArc(r *request, version string) error {
	shown, given := r.header["authorization"]
	switch {
	case !strings.EqualFold(r.header["metadata"], "true"):
		return refuse(400, "metadata", "want the header Metadata: true")
	case !slices.Contains(arcVersions, version):
		return refuse(400, "api-version", "want api-version "+strings.Join(arcVersions, ", or "))
	case given && e.isSecret(strings.TrimPrefix(shown, "Basic ")):
		return nil
	case given:
		e.refused.Add(1)
	}
	no := refuse(401, "secret", "want Authorization: Basic, and what is in the file that WWW-Authenticate names")
	no.challenge = e.job.SecretFile
	return no
}

// isSecret takes the same time for every wrong secret of the right length, which is
// no secret.
func (e *Endpoint) isSecret(shown string) bool {
	return subtle.ConstantTimeCompare([]byte(shown), []byte(e.secret)) == 1
}
