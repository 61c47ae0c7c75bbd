package broker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

func TestEveryRefusalIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "tokens.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`refuse\(\d+, "([a-z-]+)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllSubmatch(source, -1) {
			if found++; !strings.Contains(string(page), "`"+string(m[1])+"`") {
				t.Errorf("docs/tokens.md does not say what %s means", m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d refusals only", found)
	}
}
