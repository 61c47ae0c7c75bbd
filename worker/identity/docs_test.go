package identity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/worker/identity"
)

func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range identity.Codes {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("docs/policy.md does not say what %s means", code)
		}
	}
}
