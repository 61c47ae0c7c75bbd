package managedidentity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runwrit/writ/worker/managedidentity"
)

// TestAttackErrorWithTheTokenInIt: what a service answers is quoted by the library's
// errors.
func TestAttackErrorWithTheTokenInIt(t *testing.T) {
	t.Parallel()
	c := &managedidentity.Config{Source: managedidentity.SourceAppService, Header: "s3cret header"}
	long := strings.Repeat("eyJhbGciOi", 5)
	said := managedidentity.Explain(c, "cannot parse "+long+"."+long+" with s3cret header\nsecond line")
	if said != "cannot parse ....... with ..." {
		t.Errorf("%q", said)
	}
}

// TestAttackLibraryThatIsLedElsewhere: whatever makes it ask another place, it is not
// asked.
func TestAttackLibraryThatIsLedElsewhere(t *testing.T) {
	t.Parallel()
	e := newEmulator(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, "x") })
	host := strings.TrimPrefix(e.URL, "http://")
	for name, c := range map[string]*managedidentity.Config{
		"imds":        {Source: managedidentity.SourceIMDS},
		"app-service": {Source: managedidentity.SourceAppService, Endpoint: "http://127.0.0.1:1/msi/token"},
		"arc":         {Source: managedidentity.SourceArc},
	} {
		for _, url := range []string{e.URL, "https://" + host} {
			r := httptest.NewRequest(http.MethodGet, url+"/metadata", http.NoBody)
			r.RequestURI = ""
			response, err := managedidentity.Edge(c, nil)(r)
			if err == nil || !strings.Contains(err.Error(), "the library asks") {
				t.Errorf("%s: %s: %v", name, url, err)
			}
			if err == nil {
				_ = response.Body.Close()
			}
		}
	}
	if e.asked.Load() != 0 {
		t.Error("it was asked")
	}
}
