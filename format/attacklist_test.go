package format_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
)

// attackList maps the numbers of a list of known attacks to the tests that make
// them. A test is named by its function, and by what the name of its case begins
// with where it has cases. What has no test says why.
type attackList map[int]struct {
	attack, says string
	tests        string // with blanks between them; _ stands for a blank in the name of a case
	why          string
}

const notInTheList = "the list has no such number"

// hold checks that each number up to the last has its tests, and that there are
// such tests.
func (l attackList) hold(t *testing.T, last int) {
	t.Helper()
	sources := testSources(t)
	for n := 1; n <= last; n++ {
		a, ok := l[n]
		if !ok || (a.tests == "") == (a.why == "") || a.why == "" && (a.attack == "" || a.says == "") {
			t.Errorf("number %d: want tests, or why there are none", n)
		}
		for _, name := range strings.Fields(a.tests) {
			function, part, hasPart := strings.Cut(name, "/")
			source := sources[function]
			if source == "" {
				t.Errorf("number %d: there is no test %s", n, function)
			}
			if prefix := strings.ReplaceAll(part, "_", " "); hasPart && !regexp.MustCompile(`"`+regexp.QuoteMeta(prefix)+`[ :"]`).MatchString(source) {
				t.Errorf("number %d: %s has no case %q", n, function, prefix)
			}
		}
	}
	if len(l) != last {
		t.Errorf("%d numbers, want %d", len(l), last)
	}
}

func (l attackList) table() string {
	var b strings.Builder
	b.WriteString("| # | attack | writ says | tests |\n|---|---|---|---|\n")
	for n := 1; n <= len(l); n++ {
		a := l[n]
		tests := a.why
		if a.tests != "" {
			tests = "`" + strings.Join(strings.Fields(a.tests), "`, `") + "`"
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", n, cmp.Or(a.attack, "-"), cmp.Or(a.says, "-"), tests)
	}
	return b.String()
}

// testSources gives for each test function of the repository its text, with that of
// the function that makes its cases.
func testSources(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{}
	function := regexp.MustCompile(`(?ms)^func (Test\w+|\w+Cases)\(.*?^}`)
	err := filepath.WalkDir(testenv.Root(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		found := function.FindAllStringSubmatch(string(data), -1)
		for _, m := range found {
			sources[m[1]] = m[0]
			for _, cases := range found { // that a test takes from a function of their own
				if strings.HasSuffix(cases[1], "Cases") && strings.Contains(m[0], "range "+cases[1]+"()") {
					sources[m[1]] += cases[0]
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// holdTable checks that a page of docs/formats has a table, behind the line that
// names the test that makes it. With WRIT_UPDATE=1 in the environment it writes
// the table.
func holdTable(t *testing.T, page, test, table string) {
	t.Helper()
	path := filepath.Join(testenv.Root(t), "docs", "formats", page)
	mark := "\n<!-- The table is made by " + test + ". -->\n\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatalf("%s has no line %q", path, mark)
	}
	for strings.HasPrefix(rest, "|") { // the table that is there
		_, rest, _ = strings.Cut(rest, "\n")
	}
	want := head + mark + table + rest
	if os.Getenv("WRIT_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(text) != want {
		t.Errorf("%s has not the table of %s; WRIT_UPDATE=1 writes it anew", page, test)
	}
}
