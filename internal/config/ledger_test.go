package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/config"
)

const smallest = "version: 1\nid: web-01\ntrust: /t\npolicy: /p\nledger: /l\n"

func TestSegmentsAndCheckpointsOfALedger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text     string
		segments config.LedgerSegments
		notes    config.LedgerCheckpoints
	}{
		"nothing is said": {text: ""},
		"both": {
			"ledger_segments: {size: 64MiB, age: 24h}\nledger_checkpoints: {key: /k, every: 10, interval: 5m}\n",
			config.LedgerSegments{Size: 64 << 20, Age: 24 * time.Hour},
			config.LedgerCheckpoints{Key: "/k", Every: 10, Interval: 5 * time.Minute},
		},
		"the size alone": {text: "ledger_segments: {size: 1GiB}\n", segments: config.LedgerSegments{Size: 1 << 30}},
		"the key alone":  {text: "ledger_checkpoints: {key: /k}\n", notes: config.LedgerCheckpoints{Key: "/k", Every: 100, Interval: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := config.Parse("worker.yaml", []byte(smallest+c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.segments, w.Segments) + cmp.Diff(c.notes, w.Checkpoints); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSegmentsAndCheckpointsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, field string }{
		"nothing":             {"ledger_segments: {}", "ledger_segments"},
		"a tiny segment":      {"ledger_segments: {size: 1KiB}", "ledger_segments.size"},
		"a number alone":      {"ledger_segments: {size: 1000000}", "ledger_segments.size"},
		"a short time":        {"ledger_segments: {age: 1s}", "ledger_segments.age"},
		"an endless time":     {"ledger_segments: {age: 900000h}", "ledger_segments.age"},
		"days":                {"ledger_segments: {age: 1d}", "ledger_segments.age"},
		"no key":              {"ledger_checkpoints: {every: 10}", "ledger_checkpoints.key"},
		"a relative path":     {"ledger_checkpoints: {key: k}", "ledger_checkpoints.key"},
		"never":               {"ledger_checkpoints: {key: /k, every: 0}", "ledger_checkpoints.every"},
		"all the time":        {"ledger_checkpoints: {key: /k, interval: 1ms}", "ledger_checkpoints.interval"},
		"a key nobody knows":  {"ledger_checkpoints: {key: /k, sign: yes}", "sign"},
		"a list of something": {"ledger_segments: [1]", "ledger_segments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse("worker.yaml", []byte(smallest+c.text+"\n"))
			var syntax *config.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.field) {
				t.Errorf("got %v, want a problem of %s", err, c.field)
			}
		})
	}
}
