package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/worker/identity"
	"github.com/runwrit/writ/worker/managedidentity"
)

const minimal = `version: 1
id: web-01
trust: /etc/writ/trust
policy: /etc/writ/policy
ledger: /var/lib/writ/ledger.jsonl
`

func TestAConfigurationIsRead(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("worker.yaml", []byte(minimal+"group: web\nlabels: {env: prod, site: \"1\"}\nstate: /var/lib/writ\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Worker{
		ID: "web-01", Group: "web", Labels: map[string]string{"env": "prod", "site": "1"},
		Trust: "/etc/writ/trust", Policy: "/etc/writ/policy", Ledger: "/var/lib/writ/ledger.jsonl", State: "/var/lib/writ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// problems lists all problems of a configuration.
func problems(err error) string {
	var bad *config.SyntaxError
	if !errors.As(err, &bad) {
		return ""
	}
	var lines []string
	for _, p := range bad.Problems {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n")
}

func TestMistakesInAConfigurationAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"nothing", "", "worker.yaml: is empty"},
		{"no mapping", "- a\n", "want a mapping"},
		{"another version", strings.Replace(minimal, "1", "2", 1), "worker.yaml:1:10: version: want a whole number from 1 to 1"},
		{"no id", strings.Replace(minimal, "id: web-01\n", "", 1), "id: is missing"},
		{"no trust", strings.Replace(minimal, "trust: /etc/writ/trust\n", "", 1), "trust: is missing"},
		{"no policy", strings.Replace(minimal, "policy: /etc/writ/policy\n", "", 1), "policy: is missing"},
		{"no ledger", strings.Replace(minimal, "ledger: /var/lib/writ/ledger.jsonl\n", "", 1), "ledger: is missing"},
		{"an id that looks like another", strings.Replace(minimal, "web-01", "w\u0435b-01", 1), "want a name"},
		{"a group with a blank", minimal + "group: a b\n", "group: \"a b\": want a name"},
		{"a misspelled key", minimal + "grup: a\n", `worker.yaml:6:1: grup: unknown key; did you mean "group"?`},
		{"a key twice", minimal + "id: b\n", "id: stands here a second time"},
		{"no labels", minimal + "labels: {}\n", "want 1 to 100 labels"},
		{"a label that is a number", minimal + "labels: {a: 1}\n", "quote it"},
		{"an odd label", minimal + "labels: {\"a b\": x}\n", "want a name"},
		{"a label that changes direction", minimal + "labels: {a: \"\\u202e\"}\n", "control character"},
		{"a label with a line end", minimal + "labels: {a: \"x\\ny\"}\n", "control character"},
		{"a label that is too long", minimal + "labels: {a: " + strings.Repeat("x", 5000) + "}\n", "too long"},
		{"a relative path", strings.Replace(minimal, "/etc/writ/trust", "trust", 1), "want an absolute path"},
		{"a path that climbs", strings.Replace(minimal, "/etc/writ/trust", "/etc/../trust", 1), "want an absolute path"},
		{"a path with a line end", minimal + "state: \"/a\\nb\"\n", "control character"},
		{"an alias", strings.Replace(minimal, "web-01", "&a web-01", 1), "anchor or alias"},
		{"two documents", minimal + "---\na: b\n", "several YAML documents"},
		{"bytes that are no text", minimal + "group: \xff\n", "not valid UTF-8"},
		{"too large", minimal + strings.Repeat("#", config.MaxSize), "the limit is"},
		{"a bomb", minimal + "labels: {" + strings.Repeat("[", 30_000), "too many entries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, err := config.Parse("worker.yaml", []byte(tt.text))
			if w != nil || !strings.Contains(problems(err), tt.want) {
				t.Errorf("got %+v and %q, want %q", w, problems(err), tt.want)
			}
			if err == nil || !strings.HasPrefix(err.Error(), "configuration: ") {
				t.Errorf("odd error %v", err)
			}
		})
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("worker.yaml", []byte("version: 1\nid: web\ngrup: x\n"))
	if n := strings.Count(problems(err), "\n") + 1; n != 4 || !strings.Contains(err.Error(), "(and 3 more)") {
		t.Errorf("%d problems:\n%s", n, problems(err))
	}
}

func write(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	path := filepath.Join(dir, "worker.yaml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAConfigurationThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := config.Load(write(t, 0o644), config.Options{Guarded: true}); err != nil {
		t.Error(err)
	}
	open := write(t, 0o666)
	if _, err := config.Load(open, config.Options{}); err != nil {
		t.Error(err)
	}
	inOpen := write(t, 0o644)
	if err := os.Chmod(filepath.Dir(inOpen), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "worker.yaml")
	if err := os.Symlink(write(t, 0o644), link); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, path := range map[string]string{
		"writable": open, "in a writable folder": inOpen, "a link": link, "a folder": folder, "missing": filepath.Join(folder, "no"),
	} {
		_, err := config.Load(path, config.Options{Guarded: true})
		var bad *config.ReadError
		if !errors.As(err, &bad) || bad.Path != path || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if os.Getuid() == 0 {
		path := write(t, 0o644)
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(path, config.Options{Guarded: true}); err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("of another user: got %v", err)
		}
	}
}

// The example in the documentation is a configuration.
func TestTheDocumentedConfigurationLoads(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "formats", "worker-config.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(page), "```yaml\n")
	text, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("the page has no example")
	}
	if _, err := config.Parse("worker.yaml", []byte(text)); err != nil {
		t.Error(problems(err))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "group: web\nlabels: {env: prod}\nstate: /var/lib/writ\n"))
	f.Add([]byte(minimal + issuer))
	f.Add([]byte(minimal + issuer + managed))
	f.Add([]byte(minimal + "run: {user: 'A\\b', sandbox: {read: [/a], limits: {memory: 1GiB, cpu: 1m}}}\ninterpreters: {perl: {program: /p, options: [-w]}}\n"))
	f.Add([]byte("version: 1\nid: [a]\ntrust: {a: b}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := config.Parse("worker.yaml", data)
		if (w == nil) == (err == nil) {
			t.Fatalf("got %+v and %v", w, err)
		}
		if w != nil && (w.ID == "" || !filepath.IsAbs(w.Trust) || !filepath.IsAbs(w.Policy) || !filepath.IsAbs(w.Ledger)) {
			t.Errorf("half a configuration: %+v", w)
		}
	})
}

const issuer = `issuers:
  - mapping: oidc
    issuer: https://id.example.org
    jwks: /etc/writ/jwks.json
    audiences: [writ]
    algorithms: [ES256]
`

func TestIssuersAreRead(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("worker.yaml", []byte(minimal+issuer+`    skew: 0s
    max_age: 10m
    max_lifetime: 1h
    groups_claim: groups
  - mapping: github
    issuer: https://token.actions.githubusercontent.com
    jwks_url: https://token.actions.githubusercontent.com/.well-known/jwks
    audiences: [writ]
    algorithms: [RS256]
    pins: {repository_owner_id: "7", ref: [refs/heads/main, refs/heads/stable]}
`))
	if err != nil {
		t.Fatal(problems(err))
	}
	want := []identity.Issuer{
		{
			Mapping: "oidc", Issuer: "https://id.example.org", JWKS: "/etc/writ/jwks.json", Audiences: []string{"writ"}, Algorithms: []string{"ES256"},
			MaxAge: 10 * time.Minute, MaxLifetime: time.Hour, GroupsClaim: "groups",
		}, {
			Mapping: "github", Issuer: "https://token.actions.githubusercontent.com", JWKSURL: "https://token.actions.githubusercontent.com/.well-known/jwks",
			Audiences: []string{"writ"}, Algorithms: []string{"RS256"}, Skew: time.Minute,
			Pins: map[string][]string{"repository_owner_id": {"7"}, "ref": {"refs/heads/main", "refs/heads/stable"}},
		},
	}
	if diff := cmp.Diff(want, got.Issuers); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInIssuersAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, text, want string }{
		"a shared secret":     {"[ES256]", "[HS256]", "worker.yaml:11:17: issuers[0].algorithms: want some of"},
		"no algorithm":        {"    algorithms: [ES256]\n", "", "worker.yaml:7:5: issuers[0].algorithms: is missing"},
		"no audience":         {"    audiences: [writ]\n", "", "issuers[0].audiences: is missing"},
		"an unknown mapping":  {"oidc", "saml", "issuers[0].mapping: want one of"},
		"an odd time":         {"[ES256]\n", "[ES256]\n    skew: 1\n", "quote it"},
		"half a second":       {"[ES256]\n", "[ES256]\n    skew: 500ms\n", "want whole seconds"},
		"a relative path":     {"/etc/writ/jwks.json", "jwks.json", "want an absolute path"},
		"a misspelled key":    {"jwks:", "jkws:", `did you mean "jwks"`},
		"no issuers":          {issuer, "issuers: []\n", "is empty"},
		"the same twice":      {issuer, issuer + strings.TrimPrefix(issuer, "issuers:\n"), "another row is for the same tokens"},
		"a pin that is a map": {"[ES256]\n", "[ES256]\n    pins: {ref: {a: b}}\n", "want a text"},
		"pins without GitHub": {"[ES256]\n", "[ES256]\n    pins: {ref: a}\n", "issuers[0].pins: means nothing"},
	} {
		_, err := config.Parse("worker.yaml", []byte(minimal+strings.Replace(issuer, c.old, c.text, 1)))
		if !strings.Contains(problems(err), c.want) {
			t.Errorf("%s: got %q, want %q", name, problems(err), c.want)
		}
	}
}

const managed = `managed_identity:
  source: app-service
  audience: api://writ
  endpoint: http://127.0.0.1:8081/msi/token
  header_file: HEADER
`

func TestTheManagedIdentityIsRead(t *testing.T) {
	t.Parallel()
	header := write(t, 0o600)
	if err := os.WriteFile(header, []byte("secret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := config.Parse("worker.yaml", []byte(minimal+issuer+strings.Replace(managed, "HEADER", header, 1)))
	if err != nil {
		t.Fatal(problems(err))
	}
	want := managedidentity.Config{Source: "app-service", Audience: "api://writ", Endpoint: "http://127.0.0.1:8081/msi/token", Header: "secret"}
	if got, err := w.ManagedIdentity.Config(true); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.Chmod(header, 0o666); err != nil {
		t.Fatal(err)
	}
	var bad *config.ReadError
	if _, err := w.ManagedIdentity.Config(true); !errors.As(err, &bad) {
		t.Errorf("a header that others may write: %v", err)
	}
	w, err = config.Parse("worker.yaml", []byte(minimal+issuer+"managed_identity: {source: arc, audience: \"api://writ\"}\n"))
	if err != nil {
		t.Fatal(problems(err))
	}
	if got, err := w.ManagedIdentity.Config(true); err != nil || got != (managedidentity.Config{Source: "arc", Audience: "api://writ"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMistakesInTheManagedIdentityAreNamed(t *testing.T) {
	t.Parallel()
	text := strings.Replace(managed, "HEADER", "/run/header", 1)
	for name, c := range map[string]struct{ text, want string }{
		"no issuers":              {text, "managed_identity: needs issuers"},
		"no source":               {issuer + "managed_identity: {audience: a}\n", "managed_identity.source: want one of"},
		"no audience":             {issuer + "managed_identity: {source: imds}\n", "managed_identity.audience: want"},
		"no header":               {issuer + strings.Replace(text, "  header_file: /run/header\n", "", 1), "managed_identity.header_file: is missing"},
		"a header of IMDS":        {issuer + "managed_identity: {source: imds, audience: a, header_file: /run/header}\n", "means nothing for this source"},
		"an endpoint on the net":  {issuer + strings.Replace(text, "127.0.0.1", "192.0.2.1", 1), "worker.yaml:15:13: managed_identity.endpoint: want"},
		"a secret in the file":    {issuer + text + "  header: secret\n", "unknown key"},
		"a relative header":       {issuer + strings.Replace(text, "/run/header", "header", 1), "want an absolute path"},
		"something else entirely": {issuer + "managed_identity: true\n", "want a mapping"},
	} {
		_, err := config.Parse("worker.yaml", []byte(minimal+c.text))
		if !strings.Contains(problems(err), c.want) {
			t.Errorf("%s: got %q, want %q", name, problems(err), c.want)
		}
	}
}
