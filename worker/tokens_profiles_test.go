//go:build linux

package worker_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
	"github.com/runwrit/writ/worker/broker"
)

// askForApp is a runbook that asks as it was told to: by the header, or by the file that
// the answer names. It says who may read that file, and who does.
const askForApp = `
ask() { curl -s "$@" "$IDENTITY_ENDPOINT?resource=` + seedApp + `&api-version=$version"; echo; }
if [ -n "${IDENTITY_HEADER-}" ]; then
  version=2019-08-01 && ask -H "X-IDENTITY-HEADER: $IDENTITY_HEADER"
else
  version=2020-06-01
  key=$(ask -H Metadata:true -D - -o /dev/null | sed -n 's/^Www-Authenticate: Basic realm=//p' | tr -d '\r\n')
  [ "$(stat -c '%a %u' "$key")" = "400 $(id -u)" ] || stat -c '%a %u' "$key"
  [ "${key%/*}" = "$HOME" ] || echo "$key is not in $HOME"
  ask -H Metadata:true -H "Authorization: Basic $(cat "$key")"
fi
`

func TestTokensReachARunbookInEveryProfile(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "curl")
	c := newCloud(t)
	for _, protocol := range broker.Protocols() {
		for _, profile := range []string{policy.SandboxStrict, policy.SandboxStandard, policy.SandboxNone} {
			t.Run(string(protocol)+" in "+profile, func(t *testing.T) {
				t.Parallel()
				g := newGate(t, withTokens(t, c, protocol))
				g.confine(profile)
				mustGetToken(g, "")
			})
			t.Run(string(protocol)+" in "+profile+" as another user", func(t *testing.T) {
				t.Parallel()
				asRoot(t)
				g := newGate(t, withTokens(t, c, protocol), forNobody(t))
				g.confine(profile)
				mustGetToken(g, nobodyNamed)
			})
		}
	}
}

func mustGetToken(g *gate, user string) {
	g.t.Helper()
	g.user, g.timeout = user, "30s, tokens: ["+seedApp+"]"
	got := lines(g.must(g.run("ask.sh", askForApp)).stdout)
	if len(got) != 1 || !strings.Contains(got[0], `{"access_token":"***",`) {
		g.t.Errorf("%q", got)
	}
	if len(tokenRecords(g)) != 1 {
		g.t.Error("it is not recorded")
	}
}

// TestAttackOtherJobsFileOfArc: a job of another user that knows where the secret of a
// job beside it lies.
func TestAttackOtherJobsFileOfArc(t *testing.T) {
	t.Parallel()
	asRoot(t)
	testenv.Tool(t, "curl")
	c := newCloud(t)
	victim := newGate(t, withTokens(t, c, broker.Arc), forNobody(t))
	victim.sandbox, victim.user, victim.timeout = policy.SandboxNone, "", "30s, tokens: ["+seedApp+"]" // as root
	other := newGate(t, withTokens(t, c, broker.Arc), forNobody(t))
	other.sandbox, other.user, other.timeout = policy.SandboxNone, nobodyNamed, "30s, tokens: ["+seedApp+"]"

	stdin, release, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(stdin.Close(), release.Close()) }()
	told, stdout := io.Pipe()
	v := victim.verify("victim.sh", "echo \"$HOME\"; cat >/dev/null\n")
	job := worker.Job{Decision: victim.record(v), Runbook: v, Stdin: stdin, Stdout: stdout}
	ended := make(chan error, 1)
	go func() {
		_, err := victim.worker.Run(t.Context(), job)
		_ = stdout.Close()
		ended <- err
	}()
	home, err := bufio.NewReader(told).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	home = strings.TrimSuffix(home, "\n")
	o := other.run("other.sh", "cat "+home+"/.identity.key 2>&1; ls "+home+" 2>&1\n")
	if strings.Count(o.stdout, "ermission denied") != 2 {
		t.Errorf("%v: %s", o.err, o.stdout)
	}
	if err := errors.Join(release.Close(), <-ended); err != nil {
		t.Error(err)
	}
}

// TestRunsAtOnceGetTheirOwnTokens: several runs of one worker, each at its own port.
func TestRunsAtOnceGetTheirOwnTokens(t *testing.T) {
	t.Parallel()
	testenv.Tool(t, "curl")
	c := newCloud(t)
	g := newGate(t, withTokens(t, c, broker.AppService))
	g.timeout = "30s, tokens: [" + seedApp + "]"
	v := g.verify("ask.sh", `echo "$IDENTITY_ENDPOINT"`+askForApp)
	const runs = 6
	ended := make(chan string, runs)
	for range runs {
		job := worker.Job{Decision: g.record(v), Runbook: v}
		go func() {
			var stdout buffer
			job.Stdout = &stdout
			if _, err := g.worker.Run(t.Context(), job); err != nil {
				t.Error(err)
			}
			ended <- stdout.String()
		}()
	}
	ports := map[string]bool{}
	for range runs {
		endpoint, answer, _ := strings.Cut(<-ended, "\n")
		if ports[endpoint] || !strings.Contains(answer, `{"access_token":"***",`) {
			t.Errorf("%s: %s", endpoint, answer)
		}
		ports[endpoint] = true
	}
	if n := len(tokenRecords(g)); n != runs {
		t.Errorf("%d records", n)
	}
	g.nothingLeft()
}
