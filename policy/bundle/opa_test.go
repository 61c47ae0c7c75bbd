package bundle_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// TestStockOPAReadsABundleAndDecidesAsWeDo: check, test and eval of the opa
// program of the version that is linked here.
func TestStockOPAReadsABundleAndDecidesAsWeDo(t *testing.T) {
	t.Parallel()
	opa := testenv.Tool(t, "opa")
	for _, kind := range []struct{ key, alg string }{{"p256", "ES256"}, {"rsa", "PS256"}, {"ed25519", "EdDSA"}} {
		t.Run(kind.alg, func(t *testing.T) {
			t.Parallel()
			alice := newSigner(t, "alice", kind.key)
			dir := t.TempDir()
			path, public := filepath.Join(dir, "prod.tar.gz"), filepath.Join(dir, "alice.pem")
			write(t, path, alice.sign(t, build(t, contents(7))))
			write(t, public, alice.pem(t))
			if kind.alg == "ES256" {
				run(t, opa, "check", "--strict", "--bundle", path)
				run(t, opa, "test", "--bundle", path)
			}
			// Of its commands that look at bundles only build and run verify them.
			verify := func(key string) *exec.Cmd {
				return exec.Command(opa, "build", "--bundle", path, "--verification-key", key, "--signing-alg", kind.alg, "--output", filepath.Join(dir, "out.tar.gz"))
			}
			if out, err := verify(public).CombinedOutput(); err != nil {
				t.Errorf("opa refuses the bundle: %v: %s", err, out)
			}
			e, err := policy.New(contents(7).Source)
			if err != nil {
				t.Fatal(err)
			}
			for _, now := range []time.Time{noon, time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)} {
				in := question(now)
				document, err := e.Document(in)
				if err != nil {
					t.Fatal(err)
				}
				input := filepath.Join(dir, "input.json")
				write(t, input, document)
				out := run(t, opa, "eval", "--bundle", path, "--input", input, "--format", "raw", "data.writ.gate.decision")
				compare(t, e.Decide(t.Context(), in), out)
			}
			eve := filepath.Join(dir, "eve.pem")
			write(t, eve, newSigner(t, "eve", kind.key).pem(t))
			if out, err := verify(eve).CombinedOutput(); err == nil || !strings.Contains(string(out), "verify") {
				t.Errorf("opa accepts the bundle with another key: %v: %s", err, out)
			}
		})
	}
}

// compare holds the decision of opa to ours.
func compare(t *testing.T, ours policy.Decision, out []byte) {
	t.Helper()
	var theirs struct {
		Allow bool            `json:"allow"`
		Deny  []policy.Reason `json:"deny"`
		Rules []string        `json:"rules"`
		User  map[string]struct {
			Deny []string `json:"deny"`
		} `json:"user"`
	}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	deny := theirs.Deny
	for name, answers := range theirs.User {
		for _, msg := range answers.Deny {
			deny = append(deny, policy.Reason{Code: "user-deny", Msg: msg, Rule: name})
		}
	}
	if diff := cmp.Diff(ours.Deny, deny); diff != "" {
		t.Errorf("reasons (-ours +opa):\n%s", diff)
	}
	if ours.Allow != (theirs.Allow && len(deny) == 0) || !theirs.Allow {
		t.Errorf("we say %v, opa %v", ours.Allow, theirs.Allow)
	}
	if ours.Allow && !cmp.Equal(ours.Rules, theirs.Rules) {
		t.Errorf("by %v, opa by %v", ours.Rules, theirs.Rules)
	}
}

func question(now time.Time) policy.Input {
	return policy.Input{
		Version: policy.InputVersion, NowNS: now.UnixNano(),
		Runbook: policy.Runbook{
			Name: "restart.sh", Path: "/srv/restart.sh.asc", Kind: "bash", Verdict: "valid",
			SHA256: runbook.DigestOf([]byte("file")), PayloadSHA256: runbook.DigestOf([]byte("payload")), Size: 4,
		},
		Signatures: []policy.Signature{{
			Format: "clearsign", Verdict: "valid", SignedAtSource: "claimed", NotPassed: []string{},
			Signer: policy.Signer{IDs: []string{"openpgp:0123456789ABCDEF0123456789ABCDEF01234567"}},
		}},
		Findings:   []policy.Finding{},
		Caller:     policy.Caller{Kind: "os-user", ID: "os:alice", Groups: []string{}, GroupsComplete: true, Roles: []string{}, Assurance: "real-uid"},
		Worker:     policy.Worker{ID: "w1", Group: "web", OS: "linux", Labels: map[string]string{}},
		Parameters: map[string]string{}, Job: map[string]string{}, Approvals: []policy.Approval{},
		Trust: policy.Trust{Digest: runbook.DigestOf([]byte("trust"))},
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	return out
}
