//go:build linux

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
	"github.com/runwrit/writ/worker/broker"
	"github.com/runwrit/writ/worker/managedidentity"
)

// seedApp is the application ID in the runbook of seed 004.
const seedApp = "cc334b87-fdbe-4996-aa3f-5bad192a18a6"

// cloud is an emulator of the managed identity of the host, that of App Service. What it
// gives is no token, but looks like one.
type cloud struct {
	url   string
	mu    sync.Mutex
	asked []string
}

const hostHeader = "the-header-of-the-host-0123456789abcdef"

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resource := r.URL.Query().Get("resource")
		if r.Header.Get("X-Identity-Header") != hostHeader || r.URL.Query().Get("api-version") != "2019-08-01" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c.mu.Lock()
		c.asked = append(c.asked, resource)
		c.mu.Unlock()
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","resource":%q,"token_type":"Bearer"}`, cloudToken(resource), time.Now().Add(time.Hour).Unix(), resource)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/msi/token"
	return c
}

// newFunction is an emulator of the function of seed 004: it answers to who shows a token
// for its application.
func newFunction(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer "+cloudToken(seedApp) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, "You do not have permission")
			return
		}
		_, _ = fmt.Fprint(w, "the function has answered")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// cloudToken is the token for an audience.
func cloudToken(audience string) string { return fmt.Sprintf("eyJ0eXAiOiJKV1QifQ.%x.c2ln", audience) }

// withTokens is a worker whose runbooks get their tokens from c.
func withTokens(t *testing.T, c *cloud, p broker.Protocol) func(*worker.Options) {
	t.Helper()
	host := &managedidentity.Host{Config: managedidentity.Config{Source: managedidentity.SourceAppService, Endpoint: c.url, Header: hostHeader}}
	b, err := broker.New(broker.Options{Source: host, Protocol: p})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *worker.Options) { o.Tokens = b }
}

// tokenRecords are the records about tokens, without what differs from run to run.
func tokenRecords(g *gate) []map[string]any {
	g.t.Helper()
	types, bodies := g.records()
	var list []map[string]any
	for i, kind := range types {
		if kind == ledger.TypeToken {
			delete(bodies[i], "expires")
			list = append(list, bodies[i])
		}
	}
	return list
}

func given(audience string) map[string]any {
	return map[string]any{"version": 1.0, "decision": 1.0, "start": 2.0, "audience": audience, "allow": true, "given": true, "error": ""}
}

func denied(audience string) map[string]any {
	return map[string]any{"version": 1.0, "decision": 1.0, "start": 2.0, "audience": audience, "allow": false, "given": false, "error": ""}
}

// mustBeSecret fails if the ledger holds one of these.
func (g *gate) mustBeSecret(secrets ...string) {
	g.t.Helper()
	data, err := os.ReadFile(g.ledger)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(string(data), s) {
			g.t.Errorf("the ledger holds %q", s)
		}
	}
}

// seed returns the lines of a seed from the one that begins so to the one that begins
// otherwise, both included.
func seed(t *testing.T, name, from, to string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Shared(t, "seeds"), name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if len(lines) > 0 || strings.HasPrefix(line, from) {
			lines = append(lines, line)
		}
		if len(lines) > 0 && strings.HasPrefix(line, to) {
			return strings.Join(lines, "")
		}
	}
	t.Fatalf("%s: no such lines", name)
	return ""
}

// The stand-in for pwsh reads the application, the name of the header and the version out
// of the runbook of seed 004, and makes that very request.
const requestOfSeed004 = `
appid=$(sed -n "s/^\$appid = '\([^']*\)'.*/\1/p" "$4")
header=$(sed -n 's/.*@{"\([A-Za-z-]*\)"="$env:IDENTITY_HEADER"}.*/\1/p' "$4")
version=$(sed -n 's/.*&api-version=\([0-9-]*\)".*/\1/p' "$4")
for id in "$appid" "0${appid#?}"; do
  answer=$(curl -s -H "$header: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=$id&api-version=$version")
  echo "$answer"
  token=${answer#*'"access_token":"'}
  curl -s -d '{"once":"toldme"}' -H "Authorization: Bearer ${token%%'"'*}" FUNCTION; echo
done
`

// TestTheRunbookOfSeed004GetsATokenForItsApplicationAndForNoOther: as PowerShell, bash
// and Python; with the token it calls the function.
func TestTheRunbookOfSeed004GetsATokenForItsApplicationAndForNoOther(t *testing.T) {
	t.Parallel()
	other := "0" + seedApp[1:]
	for name, c := range map[string]struct{ file, payload string }{
		"as PowerShell": {"function.ps1", "seed"},
		"as bash": {"function.sh", `for id in ` + seedApp + " " + other + `; do
  answer=$(curl -s -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=$id&api-version=2019-08-01")
  echo "$answer"
  token=${answer#*'"access_token":"'}
  curl -s -d '{"once":"toldme"}' -H "Authorization: Bearer ${token%%'"'*}" FUNCTION; echo
done`},
		"as Python": {"function.py", `import json, os, urllib.request, urllib.error
def ask(request):
    try:
        return urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as e:
        return e.read().decode()
for app in ("` + seedApp + `", "` + other + `"):
    url = os.environ["IDENTITY_ENDPOINT"] + "?resource=" + app + "&api-version=2019-08-01"
    answer = ask(urllib.request.Request(url, headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}))
    print(answer)
    token = json.loads(answer).get("access_token", "")
    print(ask(urllib.request.Request("FUNCTION", data=b'{"once":"toldme"}', headers={"Authorization": "Bearer " + token})))
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testenv.Tool(t, "curl")
			payload := c.payload
			if payload == "seed" {
				payload = seed(t, "004-calling-a-function-from-a-runbook.txt", "$appid = ", "| Select-Object")
			}
			function := newFunction(t)
			g := newGate(t, standIn(t, strings.ReplaceAll(requestOfSeed004, "FUNCTION", function)), withTokens(t, newCloud(t), broker.AppService))
			g.timeout = "30s, tokens: [" + seedApp + "]"
			got := lines(g.must(g.run(c.file, strings.ReplaceAll(payload, "FUNCTION", function)+"\n")).stdout)
			if len(got) != 4 || !strings.HasPrefix(got[0], `{"access_token":"***","expires_in":"3`) {
				t.Fatalf("%q", got)
			}
			want := []string{
				"the function has answered",
				`{"statusCode":403,"message":"audience: the policy grants this runbook no token for \"` + other + `\""}`, "You do not have permission",
			}
			if diff := cmp.Diff(want, got[1:]); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]map[string]any{given(seedApp), denied(other)}, tokenRecords(g)); diff != "" {
				t.Error(diff)
			}
			g.mustBeSecret(cloudToken(seedApp), hostHeader)
		})
	}
}

// The stand-in for pwsh does what the PowerShell of seed 003 does, with what stands in it.
const requestOfSeed003 = `
version=$(sed -n 's/^$apiVersion = "\(.*\)"$/\1/p' "$4")
resource=$(sed -n 's/^$resource = "\(.*\)"$/\1/p' "$4")
endpoint="$IDENTITY_ENDPOINT?resource=$resource&api-version=$version"
header=$(curl -s -D - -o /dev/null -H Metadata:True "$endpoint" | tr -d '\r' | grep -i '^www-authenticate: ')
secretFile=${header##*Basic realm=}
stat -c '%a %u' "$secretFile"
curl -s -H Metadata:True -H "Authorization: Basic $(cat "$secretFile")" "$endpoint"
`

// TestTheRunbooksOfSeed003GetATokenInTheShapeOfArc: the commands of the seed, word by
// word but for the address, which is that of the environment, as the seed says too.
func TestTheRunbooksOfSeed003GetATokenInTheShapeOfArc(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "curl")
	const file, azure = "003-arc-managed-identity.txt", "https://management.azure.com"
	bash := strings.ReplaceAll(seed(t, file, "ChallengeTokenPath=", "fi"), "http://127.0.0.1:40342/metadata/identity/oauth2/token", "$IDENTITY_ENDPOINT")
	powershell := seed(t, file, "$apiVersion = ", "$response = ")
	for name, c := range map[string]struct{ file, payload, resource string }{
		"as bash":       {"arc.sh", `stat -c '%a %u' "$HOME/.identity.key"` + "\n" + bash, azure},
		"as PowerShell": {"arc.ps1", powershell, azure + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, standIn(t, requestOfSeed003), withTokens(t, newCloud(t), broker.Arc))
			g.timeout = "30s, tokens: [\"" + azure + "\"]"
			o := g.must(g.run(c.file, c.payload))
			mode, answer, _ := strings.Cut(o.stdout, "\n")
			if mode != fmt.Sprintf("400 %d", os.Geteuid()) || !strings.Contains(answer, `{"access_token":"***",`) || !strings.Contains(answer, `"resource":"`+c.resource+`"`) {
				t.Errorf("%s%s", o.stdout, o.stderr)
			}
			if diff := cmp.Diff([]map[string]any{given(c.resource)}, tokenRecords(g)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokensNeedAnIdentityOfTheHost(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.timeout = "30s, tokens: [" + seedApp + "]"
	o := g.run("r.sh", "echo ran\n")
	bad, ok := asError[*worker.ObligationError](o.err)
	if !ok || bad.Name != "tokens" || bad.Value != seedApp || o.Started || o.stdout != "" {
		t.Errorf("%v, %+v", o.err, o)
	}
	if types, _ := g.records(); len(types) != 1 {
		t.Errorf("recorded %v", types)
	}
}

func TestARunbookThatIsGrantedNoTokensIsToldOfNone(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for _, p := range broker.Protocols() {
		g := newGate(t, withTokens(t, c, p))
		if o := g.must(g.run("r.sh", "env; ls -A\n")); strings.Contains(o.stdout, "IDENTITY") || strings.Contains(o.stdout, "MSI_") || strings.Contains(o.stdout, "IMDS") {
			t.Errorf("%s", o.stdout)
		}
	}
}

// failingFor is a ledger that takes everything but records of one type.
type failingFor struct {
	ledger.Sink
	kind ledger.Type
}

func (f failingFor) Append(ctx context.Context, e ledger.Event) (uint64, error) {
	if e.Type == f.kind {
		return 0, errors.New("the disk is full")
	}
	return f.Sink.Append(ctx, e)
}

func TestATokenThatTheLedgerDoesNotTakeIsNotHandedOut(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "curl")
	g := newGate(t, withTokens(t, newCloud(t), broker.AppService), func(o *worker.Options) { o.Ledger = failingFor{o.Ledger, ledger.TypeToken} })
	g.timeout = "30s, tokens: [" + seedApp + "]"
	o := g.must(g.run("r.sh", `curl -s -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?resource=`+seedApp+`&api-version=2019-08-01"`))
	if o.stdout != `{"statusCode":500,"message":"record: the token could not be recorded, and is not handed out"}` {
		t.Errorf("%s", o.stdout)
	}
}

// TestAttackSecretOfARunThatHasEnded: what a job has told others of its identity.
func TestAttackSecretOfARunThatHasEnded(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "curl")
	c := newCloud(t)
	for _, p := range broker.Protocols() {
		g := newGate(t, withTokens(t, c, p))
		g.timeout = "30s, tokens: [" + seedApp + "]"
		o := g.must(g.run("r.sh", `echo "$IDENTITY_ENDPOINT"; secret="$IDENTITY_HEADER$(cat "$HOME/.identity.key" 2>/dev/null)"; echo "$secret" | rev; echo "$secret"`))
		told := lines(o.stdout)
		endpoint, err := url.Parse(told[0])
		if err != nil || len(told) != 3 || len(told[1]) != 64 || told[2] != "***" {
			t.Fatalf("%v, %q", err, told)
		}
		secret := []byte(told[1])
		slices.Reverse(secret)
		told[1] = string(secret)
		if conn, err := net.Dial("tcp", endpoint.Host); err == nil {
			_ = conn.Close()
			t.Error("the port is open after the run")
		}
		// And it is good for nothing with the next one.
		g = newGate(t, withTokens(t, c, p))
		g.timeout = "30s, tokens: [" + seedApp + "]"
		const ask = `curl -s -o /dev/null -w '%{http_code}' -H "X-IDENTITY-HEADER: OLD" -H Metadata:true -H "Authorization: Basic OLD" "$IDENTITY_ENDPOINT?resource=` + seedApp + `&api-version=VERSION"`
		version := map[broker.Protocol]string{broker.AppService: "2019-08-01", broker.Arc: "2020-06-01"}[p]
		o = g.run("r.sh", strings.NewReplacer("OLD", told[1], "VERSION", version).Replace(ask))
		if o.err != nil || o.stdout != "401" || len(o.Warnings) != 1 || !strings.Contains(o.Warnings[0], "asked 1 times without its secret") {
			t.Errorf("%v, %s, %q", o.err, o.stdout, o.Warnings)
		}
		if len(tokenRecords(g)) != 0 {
			t.Error("a stranger writes into the ledger")
		}
		g.mustBeSecret(told[1])
	}
}

// TestAttackPolicyThatSetsTheIdentityByHand: what the broker says cannot be contradicted.
func TestAttackPolicyThatSetsTheIdentityByHand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"} {
		if !policy.EnvRefused(name) {
			t.Errorf("a policy may set %s", name)
		}
	}
}
