package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/config"
)

func TestLogsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Logs{
		"logs: {dir: /var/log/writ}\n": {Dir: "/var/log/writ"},
		"logs:\n  dir: /var/log/writ\n  max_bytes: 16MiB\n  keep: {runs: 1000, days: 90}\n": {Dir: "/var/log/writ", MaxBytes: 16 << 20, KeepRuns: 1000, KeepDays: 90},
	} {
		w, err := config.Parse("worker.yaml", []byte(minimal+text))
		if err != nil {
			t.Fatal(problems(err))
		}
		if diff := cmp.Diff(&want, w.Logs); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if w, err := config.Parse("worker.yaml", []byte(minimal)); err != nil || w.Logs != nil {
		t.Errorf("without logs: %+v, %v", w, err)
	}
}

func TestMistakesInLogsAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{max_bytes: 1MiB}":             "logs.dir: is missing",
		"{dir: logs}":                   "logs.dir: \"logs\": want an absolute path",
		"{dir: /l, max_bytes: 100}":     "logs.max_bytes",
		"{dir: /l, max_bytes: 0KiB}":    "want a whole number and KiB",
		"{dir: /l, keep: {}}":           "logs.keep: says nothing",
		"{dir: /l, keep: {runs: 0}}":    "logs.keep.runs: want a whole number from 1",
		"{dir: /l, keep: {days: -1}}":   "logs.keep.days",
		"{dir: /l, keep: {weeks: 1}}":   "unknown key",
		"{dir: /l, max_byte: 1MiB}":     `did you mean "max_bytes"`,
		"/var/log":                      "want a mapping",
		"{dir: /l, keep: {runs: many}}": "logs.keep.runs",
	} {
		_, err := config.Parse("worker.yaml", []byte(minimal+"logs: "+text+"\n"))
		if !strings.Contains(problems(err), want) {
			t.Errorf("%s: got %q, want %q", text, problems(err), want)
		}
	}
}
