package glob_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/glob"
)

func match(t *testing.T, text, path string) bool {
	t.Helper()
	re, err := regexp.Compile(glob.Pattern(text))
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString(path)
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text     string
		yes, not []string
	}{
		{"/srv/a.sh", []string{"/srv/a.sh"}, []string{"/srv/a_sh", "srv/a.sh", "/srv/a.sh2", "/x/srv/a.sh", "/SRV/a.sh"}},
		{"/srv/*.sh", []string{"/srv/a.sh", "/srv/.sh"}, []string{"/srv/x/a.sh", "/srv/a.sh/b"}},
		{"/srv/?.sh", []string{"/srv/a.sh", "/srv/\u00e9.sh"}, []string{"/srv/.sh", "/srv/ab.sh", "/srv//.sh"}},
		{"/srv/**", []string{"/srv/a", "/srv/a/b"}, []string{"/srv", "/srvx/a"}},
		{"/srv/**/a.sh", []string{"/srv/a.sh", "/srv/x/a.sh", "/srv/x/y/a.sh"}, []string{"/srv/xa.sh", "/a.sh"}},
		{"**/a.sh", []string{"a.sh", "/a.sh", "/x/a.sh", "x/y/a.sh", "C:/x/a.sh"}, []string{"/xa.sh", "/a.sh/b"}},
		{"**", []string{"a", "/a", "/a/b", "x/y"}, nil},
		{"jobs/*/run.sh", []string{"jobs/a/run.sh"}, []string{"/jobs/a/run.sh", "jobs/run.sh", "jobs/a/b/run.sh"}},
		{"/a+b(c)|d.sh", []string{"/a+b(c)|d.sh"}, []string{"/aab(c)", "/d.sh"}},
	}
	for _, tt := range tests {
		if bad := glob.Problem(tt.text); bad != "" {
			t.Errorf("%s: %s", tt.text, bad)
		}
		for _, path := range tt.yes {
			if !match(t, tt.text, path) {
				t.Errorf("%s does not match %s", tt.text, path)
			}
		}
		for _, path := range tt.not {
			if match(t, tt.text, path) {
				t.Errorf("%s matches %s", tt.text, path)
			}
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("/srv/**/a?.sh", "/srv/x/ab.sh")
	f.Add("**/*", "a/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		if glob.Problem(text) != "" {
			return
		}
		matched := match(t, text, path)
		if !strings.ContainsAny(text, "*?") && matched != (text == path) {
			t.Errorf("the literal %q and %q: %v", text, path, matched)
		}
	})
}
