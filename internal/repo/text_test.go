package repo_test

import (
	"go/build"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/testenv"
)

func TestGoModHasNoReplaceAndNothingNewerThanGo126(t *testing.T) {
	t.Parallel()
	required := regexp.MustCompile(`(?m)^(?:require )?\s*([a-z][^\s]*\.[^\s]*) (v[^\s]+)`)
	goLine := regexp.MustCompile(`(?m)^go 1\.(\d+)`)
	mod := read(t, "go.mod")
	for _, name := range []string{"go.mod", "internal/testenv/vaultserver/go.mod"} {
		if regexp.MustCompile(`(?m)^replace`).MatchString(read(t, name)) {
			t.Errorf("%s has a replace directive: go install would refuse the module", name)
		}
	}
	found := 0
	for _, m := range required.FindAllStringSubmatch(mod, -1) {
		data, err := os.ReadFile(filepath.Join(moduleCache(), "cache", "download", filepath.FromSlash(escape(m[1])), "@v", escape(m[2])+".mod"))
		if err != nil {
			t.Errorf("%s %s: %v", m[1], m[2], err)
			continue
		}
		found++
		if line := goLine.FindSubmatch(data); line != nil && (len(line[1]) > 2 || string(line[1]) > "26" && len(line[1]) == 2) {
			t.Errorf("%s %s needs Go 1.%s", m[1], m[2], line[1])
		}
	}
	if found < 10 {
		t.Errorf("looked at %d modules only", found)
	}
}

func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	return filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
}

// escape writes a module path or version as the module cache does.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func TestReadmeIsShortAndBeginsWithTheTwoCommands(t *testing.T) {
	t.Parallel()
	lines := strings.Split(read(t, "README.md"), "\n")
	if len(lines) > 150 {
		t.Errorf("README.md has %d lines, the limit is 150", len(lines))
	}
	first := strings.Join(lines[:min(len(lines), 30)], "\n")
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(first, command) {
			t.Errorf("the first screen of README.md does not show %q", command)
		}
	}
}

// A committed file must be true on every machine, and must not hand out
// anybody's address.
func TestNoFileNamesAMachineAnAddressOrARegistry(t *testing.T) {
	t.Parallel()
	// In halves, or this file would find itself.
	places := []string{"/wo" + "rk/", "/ro" + "ot/", "proxy.go" + "lang.org", "registry.np" + "mjs", "deb.deb" + "ian.org"}
	mail := regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b`)
	// The last of them is no domain: so end the names of systemd's units.
	reserved := regexp.MustCompile(`[@.](?:example(?:\.(?:com|org|net))?|test|invalid|localhost|service)$`)
	files(t, func(name string) {
		text := read(t, name)
		if !utf8.ValidString(text) || name == "go.sum" || name == ".git" { // .git is a file in a linked work tree
			return
		}
		for n, line := range strings.Split(text, "\n") {
			for _, p := range places {
				if strings.Contains(line, p) {
					t.Errorf("%s:%d names %q", name, n+1, p)
				}
			}
			for _, m := range mail.FindAllString(line, -1) {
				if !reserved.MatchString(m) {
					t.Errorf("%s:%d names the address %q", name, n+1, m)
				}
			}
		}
	})
}

// Hidden characters in a source file show a reviewer something else than what
// is compiled; tests write them as escapes.
func TestNoSourceFileHasHiddenCharacters(t *testing.T) {
	t.Parallel()
	files(t, func(name string) {
		switch path.Ext(name) {
		case ".go", ".rego", ".md", ".yaml", ".yml", ".sh", ".txtar", ".mod":
		default:
			return
		}
		for n, line := range strings.Split(read(t, name), "\n") {
			for _, r := range line {
				if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError) {
					t.Errorf("%s:%d holds the character %U", name, n+1, r)
				}
			}
		}
	})
}

func TestNoDocumentLinksToAMissingFile(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	files(t, func(name string) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			to := filepath.Join(testenv.Root(t), filepath.FromSlash(path.Dir(name)), filepath.FromSlash(target))
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	})
}
