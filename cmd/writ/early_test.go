//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What the gate alone needs would cost each run more than its stage does.
func TestAStageBeginsBeforeTheGatesPackagesAreInitialised(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: self, Args: []string{"writ-stage"}, Env: []string{"GODEBUG=inittrace=1"}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "init os @") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range []string{"github.com/open-policy-agent/opa/v1/topdown", "net/http", "github.com/runwrit/writ/policy", "github.com/runwrit/writ/format", "main"} {
		if strings.Contains(string(out), "init "+path+" @") {
			t.Errorf("%s was initialised in a stage", path)
		}
	}
}
