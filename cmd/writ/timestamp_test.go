package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/internal/testenv"
)

// TestTimestampScripts run with a real timestamp authority on loopback, and with
// a peer that asks it too.
func TestTimestampScripts(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "osslsigncode")
	url, chain := testenv.TimestampServer(t)
	p := params(t)
	p.Dir = "testdata/timestamp"
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("TSA", url)
		return os.WriteFile(filepath.Join(env.WorkDir, "tsa.pem"), chain, 0o600)
	}
	// The scripts run side by side after this function; the server must outlive
	// them.
	t.Run("scripts", func(t *testing.T) { testscript.Run(t, p) })
}
