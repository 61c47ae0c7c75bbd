package managedidentity_test

import (
	"context"
	"net/http"
	"strings"
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

func TestWhoWaitsForATurnGivesUpWithItsCaller(t *testing.T) {
	env := hostile(t)
	asked, release := make(chan struct{}), make(chan struct{})
	service := newEmulator(t, appService(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		answer(w, r.URL.Query().Get("resource"))
	}))
	h := &managedidentity.Host{Config: managedidentity.Config{Source: managedidentity.SourceAppService, Endpoint: service.URL + "/msi/token", Header: secret}}
	first := make(chan error)
	go func() {
		_, _, err := h.Token(context.Background(), audience())
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := h.Token(ctx, audience()); err == nil || !strings.Contains(err.Error(), "others were asking") {
		t.Errorf("%q, %v", got, err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
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
