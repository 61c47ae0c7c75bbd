//go:build bench && linux

package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
)

// coldRuns starts a trivial script through the whole gate in each profile, each time as
// a new process, in turn with what people use without a gate: bash on the bare
// script, sudo as another user, bubblewrap.
func (b *bench) coldRuns() {
	const text = "echo done\n"
	b.write("cold/hello.sh", []byte(text))
	b.write("cold/plain.sh", []byte(text))
	b.run(b.writ, "sign", "--key", b.path("ed25519.key"), b.path("cold/hello.sh"))
	public, err := os.ReadFile(b.path("ed25519.asc"))
	b.check(err)
	b.write("cold/trust/bench/openpgp/signer.asc", public)
	profiles := []string{policy.SandboxNone, policy.SandboxStandard, policy.SandboxStrict}
	for _, profile := range profiles {
		rules := grants(1, b.signerOf("ed25519"), b.caller(), b.path("cold/hello.sh"))
		b.write("cold/"+profile+"/grants.yaml", []byte(strings.Replace(rules, "timeout: 1m", "timeout: 1m, sandbox: "+profile, 1)))
	}
	peers := b.peersOfARun()
	ours, theirs := map[string][]time.Duration{}, map[string][]time.Duration{}
	for range starts {
		for _, profile := range profiles {
			ours[profile] = append(ours[profile], b.run(b.writ, "run", b.path("cold/hello.sh.asc"), "--trust", b.path("cold/trust"),
				"--policy", b.path("cold/"+profile), "--ledger", b.path("cold/ledger.jsonl"), "--worker-group", "bench"))
		}
		for name, command := range peers {
			theirs[name] = append(theirs[name], b.run(command[0], command[1:]...))
		}
	}
	bash := median(theirs["bash"])
	for _, profile := range profiles {
		limit := 3*bash + 40*time.Millisecond
		if profile == policy.SandboxStrict {
			limit += 10 * time.Millisecond // of namespaces, mounts and a root folder of its own
		}
		b.add(row{
			"writ run of a trivial script, cold, " + profile, show(median(ours[profile])), show(bash) + " bash",
			fmt.Sprintf("%.1fx as long", float64(median(ours[profile]))/float64(bash)), "< " + show(limit), median(ours[profile]) < limit,
		})
		for name := range peers {
			if name != "bash" {
				b.add(row{
					"  the same", show(median(ours[profile])), show(median(theirs[name])) + " " + name,
					fmt.Sprintf("%.1fx as long", float64(median(ours[profile]))/float64(median(theirs[name]))), "", true,
				})
			}
		}
	}
}

// peersOfARun are commands that run the same script without a gate. sudo is one only
// where it asks for no password.
func (b *bench) peersOfARun() map[string][]string {
	bash, script := testenv.Tool(b, "bash"), b.path("cold/plain.sh")
	peers := map[string][]string{"bash": {bash, script}}
	if sudo, err := exec.LookPath("sudo"); err != nil || exec.Command(sudo, "-n", "true").Run() != nil {
		b.Log("left out: sudo, which is not there or wants a password")
	} else {
		peers["sudo"] = []string{sudo, "-n", bash, script}
	}
	if bwrap, err := exec.LookPath("bwrap"); err != nil {
		b.Log("left out: bwrap, which is not there")
	} else {
		peers["bwrap"] = []string{
			bwrap, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session", bash, script,
		}
	}
	return peers
}
