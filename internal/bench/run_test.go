//go:build bench && linux

package bench_test

import (
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/internal/testenv"
)

// coldRun starts a trivial script through the whole gate, each time as a new
// process, in turn with bash on the bare script.
func (b *bench) coldRun() {
	const text = "echo done\n"
	b.write("cold/hello.sh", []byte(text))
	b.write("cold/plain.sh", []byte(text))
	b.write("cold/policy/grants.yaml", []byte(grants(1, b.signerOf("ed25519"), b.caller(), b.path("cold/hello.sh"))))
	b.run(b.writ, "sign", "--key", b.path("ed25519.key"), b.path("cold/hello.sh"))
	public, err := os.ReadFile(b.path("ed25519.asc"))
	b.check(err)
	b.write("cold/trust/bench/openpgp/signer.asc", public)
	bash := testenv.Tool(b, "bash")
	var ours, peer []time.Duration
	for range starts {
		ours = append(ours, b.run(b.writ, "run", b.path("cold/hello.sh.asc"),
			"--trust", b.path("cold/trust"), "--policy", b.path("cold/policy"), "--ledger", b.path("cold/ledger.jsonl"), "--worker-group", "bench"))
		peer = append(peer, b.run(bash, b.path("cold/plain.sh")))
	}
	limit := 3*median(peer) + 40*time.Millisecond
	b.add(row{
		"writ run of a trivial script, cold", show(median(ours)), show(median(peer)) + " bash",
		fmt.Sprintf("%.1fx as long", float64(median(ours))/float64(median(peer))),
		"< 3x + 40 ms = " + show(limit), median(ours) < limit,
	})
}
