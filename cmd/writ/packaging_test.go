package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/internal/testenv"
)

// A unit that calls writ with a flag that it does not have fails on the machine of
// whoever installed it, and not before.
func TestTheUnitsOfThePackageCallCommandsThatExist(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob(filepath.Join(testenv.Root(t), "packaging", "systemd", "*.service"))
	if err != nil || len(units) == 0 {
		t.Fatalf("no units: %v", err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		for line := range strings.Lines(string(text)) {
			command, found := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=/usr/bin/writ ")
			if !found {
				continue
			}
			calls++
			root := newRootCmd(newApp())
			cmd, rest, err := root.Find(strings.Fields(command))
			if err != nil || !cmd.Runnable() || cmd == root {
				t.Errorf("%s: writ %s: no such command: %v", filepath.Base(unit), command, err)
			} else if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%s: writ %s: %v", filepath.Base(unit), command, err)
			}
		}
		if calls != 1 {
			t.Errorf("%s calls writ %d times", filepath.Base(unit), calls)
		}
	}
}

func TestTheConfigurationThatThePackageShowsCanBeRead(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "packaging", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page shows no configuration")
	}
	if _, err := config.Parse("worker.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}
