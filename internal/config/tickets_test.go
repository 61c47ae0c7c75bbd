package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/config"
)

func TestTheConfigurationSaysWhoseTicketsCount(t *testing.T) {
	t.Parallel()
	good := []string{"openpgp:" + strings.Repeat("A", 40), "openpgp:" + strings.Repeat("0", 64), "x509-sha256:" + strings.Repeat("a", 64), "x509-spki:" + strings.Repeat("0", 64)}
	w, err := config.Parse("worker.yaml", []byte(minimal+"tickets: {issuers: ['"+strings.Join(good, "', '")+"']}\n"))
	if err != nil || !slices.Equal(w.TicketIssuers, good) {
		t.Errorf("%v: %v", err, w)
	}
	for _, bad := range []string{
		"tickets: {}", "tickets: []", "tickets: {issuers: []}", "tickets: {issuer: [x]}", "tickets: {issuers: ['os:root']}", "tickets: {issuers: ['openpgp:ABCD']}",
		"tickets: {issuers: ['openpgp:" + strings.Repeat("a", 40) + "']}", "tickets: {issuers: ['x509-sha256:" + strings.Repeat("A", 64) + "']}", "tickets: {issuers: ['x509-spki:" + strings.Repeat("a", 40) + "']}",
	} {
		if w, err := config.Parse("worker.yaml", []byte(minimal+bad+"\n")); err == nil {
			t.Errorf("%s: %v", bad, w.TicketIssuers)
		}
	}
}
