package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/internal/testenv"
)

var exitComment = regexp.MustCompile(`^(.*?) {4}# exit ([0-9]+)$`)

// The examples of the README and of docs/cli are run as they stand, page by page, each in a new
// folder of writ init in which everything was signed.
func TestTheExamplesOfTheDocumentationRun(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: run works on Linux only, and the examples use its tools")
	}
	pages, err := filepath.Glob(filepath.Join(testenv.Root(t), "docs", "cli", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	pages = append(pages, filepath.Join(testenv.Root(t), "README.md"))
	var scripts []string
	dir := t.TempDir()
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		script := scriptOf(string(text))
		if script == "" {
			if filepath.Base(page) != "README.md" {
				t.Errorf("%s has no example", page)
			}
			continue
		}
		path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(page), ".md")+".txtar")
		if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, path)
	}
	p := params(t)
	p.Files = scripts
	testscript.Run(t, p)
}

func scriptOf(page string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			command, code := strings.TrimPrefix(line, "$ "), "0"
			if m := exitComment.FindStringSubmatch(command); m != nil {
				command, code = m[1], m[2]
			}
			if strings.Contains(command, ".py.asc -- ") {
				b.WriteString("[exec:python3] ")
			}
			fmt.Fprintf(&b, "exits %s sh -c '%s'\n", code, strings.ReplaceAll(command, "'", "''"))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return `exec writ init demo
cd demo
exec writ sign --key keys/codesign.key.pem --cert keys/codesign.pem runbooks
exec writ sign --key keys/openpgp.key.asc runbooks/disk-report.sh runbooks/list-old-files.py
` + b.String()
}

var (
	// otherPage is a page that stands in for a list of flags.
	otherPage = regexp.MustCompile("`writ [a-z]+`\\]\\(([a-z]+\\.md)\\)")
	flagUsage = regexp.MustCompile(`(?m)^ +(?:-([a-z]), +)?--([a-z-]+)`)
)

// Each command has its page, and each page says its exit codes and names each
// flag of its command.
func TestEachCommandIsDocumented(t *testing.T) {
	t.Parallel()
	root := newRootCmd(newApp())
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			continue
		}
		page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "cli", cmd.Name()+".md"))
		if err != nil {
			t.Errorf("%s has no page: %v", cmd.Name(), err)
			continue
		}
		if !strings.Contains(string(page), "\nExit codes: `0`") && cmd.Name() != "run" {
			t.Errorf("the page of %s does not say its exit codes", cmd.Name())
		}
		said := string(page)
		for _, m := range otherPage.FindAllStringSubmatch(said, -1) {
			other, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "cli", m[1]))
			if err != nil {
				t.Fatal(err)
			}
			said += string(other)
		}
		for _, sub := range append(cmd.Commands(), cmd) {
			for _, m := range flagUsage.FindAllStringSubmatch(sub.LocalFlags().FlagUsages(), -1) {
				short, long := m[1], m[2]
				if long != "help" && !strings.Contains(said, "--"+long) && (short == "" || !strings.Contains(said, " -"+short+" ")) {
					t.Errorf("neither the page of %s nor one that it refers to names --%s", sub.CommandPath(), long)
				}
			}
			if sub != cmd && !strings.Contains(string(page), "`"+sub.Name()+"`") {
				t.Errorf("the page of %s does not name %s", cmd.Name(), sub.Name())
			}
			if len(sub.Commands()) == 0 && (!strings.Contains(sub.Long, "Exit codes: ") || sub.Example == "") {
				t.Errorf("the help of %s lacks examples or exit codes", sub.CommandPath())
			}
		}
	}
}
