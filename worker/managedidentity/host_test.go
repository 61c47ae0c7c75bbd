package managedidentity_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/managedidentity"
)

func TestAHostGivesTokensForAnyAudienceAndSaysWhenTheyExpire(t *testing.T) {
	env := hostile(t)
	service := newEmulator(t, appService(func(w http.ResponseWriter, r *http.Request) { answer(w, r.URL.Query().Get("resource")) }))
	h := &managedidentity.Host{Config: managedidentity.Config{
		Source: managedidentity.SourceAppService, Audience: "not looked at", Endpoint: service.URL + "/msi/token", Header: secret,
	}}
	for range 2 {
		got, expires, err := h.Token(t.Context(), audience())
		if left := time.Until(expires); err != nil || string(got) != theToken || left < 50*time.Minute || left > time.Hour {
			t.Errorf("%q, %v, %v", got, expires, err)
		}
	}
	if service.asked.Load() != 2 {
		t.Errorf("asked %d times", service.asked.Load())
	}
	if got, _, err := h.Token(t.Context(), "a b"); err == nil {
		t.Errorf("an odd audience: %q", got)
	}
	env.mustBeAsBefore(t)
}

func TestAHostIsCheckedWithoutAnAudience(t *testing.T) {
	t.Parallel()
	good := managedidentity.Host{Config: managedidentity.Config{Source: managedidentity.SourceIMDS}}
	if field, bad := good.Problem(); bad != "" {
		t.Errorf("%s: %s", field, bad)
	}
	odd := managedidentity.Host{Config: managedidentity.Config{Source: managedidentity.SourceArc, ClientID: "a"}}
	if field, bad := odd.Problem(); field != "client_id" || bad == "" {
		t.Errorf("%s: %s", field, bad)
	}
}
