package audience_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/audience"
)

func TestNamesIDsAndAddressesAreAudiences(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"storage", "cc334b87-fdbe-4996-aa3f-5bad192a18a6", "app.name_1@tenant", "api://cc334b87-fdbe-4996-aa3f-5bad192a18a6", "api://contoso.example/functions/dns",
		"https://management.azure.com", "https://management.azure.com/", "https://a.example/b/", strings.Repeat("a", 64), "https://" + strings.Repeat("a", audience.MaxSize-8),
	} {
		if bad := audience.Problem(s); bad != "" {
			t.Errorf("%q: %s", s, bad)
		}
	}
}

func TestWhatIsNoAudienceIsRefused(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"nothing": "", "white space": "a b", "a line end": "storage\n", "an address and a line end": "https://a.example\n", "a path": "/etc/passwd", "a star": "*", "a pattern": "https://*.example", "http": "http://a.example",
		"another scheme": "spn://a", "an upper-case scheme": "HTTPS://a.example", "no host": "https://", "no host but a path": "https:///a", "a user": "https://user@a.example", "a port": "https://a.example:443",
		"a query": "https://a.example?x=1", "a fragment": "https://a.example#x", "an escape": "https://a.example/%2e", "two slashes at the end": "https://a.example//", "two slashes within": "https://a.example//b",
		"a scope": "https://a.example/.default", "a scope behind two slashes": "https://a.example//.default", "a path that climbs": "https://a.example/../b", "a backslash": `https://a.example\b`,
		"a name with a slash": "a/", "another script": "https://\u0430.example", "a name that is too long": strings.Repeat("a", 65), "an address that is too long": "https://" + strings.Repeat("a", audience.MaxSize-7),
		"a dot first": ".default", "an ampersand": "a&resource=b", "a comma": "a,b",
	} {
		if audience.Problem(s) == "" {
			t.Errorf("%s: %q is an audience", name, s)
		}
	}
}

func TestOneSlashAtTheEndMakesNoDifferenceAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example", "https://a.example/", true},
		{"https://a.example/", "https://a.example", true},
		{"https://a.example", "https://a.example", true},
		{"https://a.example", "https://A.example", false},
		{"https://a.example", "api://a.example", false},
		{"https://a.example/b", "https://a.example", false},
		{"cc334b87-fdbe-4996-aa3f-5bad192a18a6", "CC334B87-fdbe-4996-aa3f-5bad192a18a6", false},
		{"cc334b87-fdbe-4996-aa3f-5bad192a18a6", "api://cc334b87-fdbe-4996-aa3f-5bad192a18a6", false},
	} {
		if audience.Same(c.a, c.b) != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, !c.same)
		}
	}
}
