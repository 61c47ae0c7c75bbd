package policy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

func TestDocumentedGrantsAndRulesLoad(t *testing.T) {
	t.Parallel()
	yaml := blocks(page(t, "formats/grants.md"), "yaml")
	rego := blocks(page(t, "policy.md"), "rego")
	if len(yaml) != 1 || len(rego) != 2 {
		t.Fatalf("%d and %d blocks", len(yaml), len(rego))
	}
	e := engine(t, yaml[0], policy.File{Name: "a.rego", Data: []byte(rego[0])}, policy.File{Name: "b.rego", Data: []byte(rego[1])})
	in := good()
	in.Runbook.Path = "/srv/runbooks/web/restart.sh.asc"
	in.Signatures = []policy.Signature{signature("valid", aliceKey), signature("valid", aliceCert)}
	if d := e.Decide(t.Context(), in); !d.Allow {
		t.Errorf("a Sunday, signed by alice and bob, is denied: %+v", d.Deny)
	}
	in.Caller.ID = "os:alice"
	in.NowNS -= 2 * 24 * 3600 * 1e9
	in.Worker.Labels["env"] = "prod"
	mustDeny(t, e.Decide(t.Context(), in), "friday user-deny")
}

// The page shows the keys of the top in pieces.
func TestDocumentedPiecesOfGrantsLoad(t *testing.T) {
	t.Parallel()
	text := page(t, "formats/grants.md")
	grants := blocks(text, "yaml")[0]
	pieces := 0
	for _, piece := range blocks(text, "yaml part") {
		switch key, _, _ := strings.Cut(piece, ":"); key {
		case "hours":
			grants = strings.Replace(grants, "    parameters:\n", "    "+strings.ReplaceAll(strings.TrimSpace(piece), "\n", "\n    ")+"\n    parameters:\n", 1)
		case "freezes", "exemptions", "worker_groups":
			grants += piece
		default:
			continue
		}
		pieces++
	}
	if engine(t, grants); pieces != 4 {
		t.Errorf("%d pieces", pieces)
	}
}

func TestEveryCodeAndFunctionIsDocumented(t *testing.T) {
	t.Parallel()
	text := page(t, "policy.md")
	codes := []string{policy.CodePolicyError, policy.CodeUnspecified, policy.CodeInputInvalid, "user-deny", "user-warn"}
	for _, m := range regexp.MustCompile(`"code": "([a-z-]+)"`).FindAllStringSubmatch(policy.LibraryText(), -1) {
		codes = append(codes, m[1])
	}
	if len(codes) < 20 {
		t.Fatalf("only %d codes found in the library", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(text, "`"+code+"`") {
			t.Errorf("docs/policy.md does not say what %s means", code)
		}
	}
	functions := text[strings.Index(text, "### Functions"):]
	for _, name := range policy.AllowedBuiltins {
		if !strings.HasPrefix(name, "internal.") && !strings.Contains(functions, "`"+name+"`") {
			t.Errorf("docs/policy.md does not list %s", name)
		}
	}
	if listed := strings.Count(functions, "`, `") + strings.Count(functions, "`,\n`"); listed > len(policy.AllowedBuiltins)+4 {
		t.Errorf("docs/policy.md lists %d functions, the engine allows %d", listed, len(policy.AllowedBuiltins))
	}
}

func TestTheDocumentedRuleAboutTokensLoads(t *testing.T) {
	t.Parallel()
	pieces := blocks(page(t, "tokens.md"), "yaml part")
	if len(pieces) != 1 {
		t.Fatalf("%d pieces", len(pieces))
	}
	engine(t, peopleYAML+pieces[0])
}
