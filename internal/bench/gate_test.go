//go:build bench && linux

package bench_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

// coldDecision starts the gate on a policy of 100,000 rules and people that was
// activated, each time as a new process, from its start to the verdict.
func (b *bench) coldDecision() {
	const many = 100_000
	b.write("large/hello.sh", []byte("echo done\n"))
	b.run(b.writ, "sign", "--key", b.path("ed25519.key"), b.path("large/hello.sh"))
	b.write("large/policy/grants.yaml", []byte(grants(many, b.signerOf("ed25519"), b.caller(), b.path("large/hello.sh"))))
	public, err := os.ReadFile(b.path("ed25519.asc"))
	b.check(err)
	b.write("large/trust/bench/openpgp/signer.asc", public)
	der, err := x509.MarshalPKIXPublicKey(b.keys["p256"].Key.Public())
	b.check(err)
	b.write("large/store/settings", []byte("name:bench\nsigner:bench key=bench.pem\n"))
	b.write("large/store/keys/bench.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	bundle := b.path("large/policy.tar.gz")
	b.run(b.writ, "policy", "build", b.path("large/policy"), bundle, "--name", "bench", "--epoch", "1", "--expires", "90d")
	b.run(b.writ, "policy", "sign", bundle, "--key", b.path("p256.pem"))
	took := b.run(b.writ, "policy", "activate", bundle, "--store", b.path("large/store"))
	b.add(row{fmt.Sprintf("activate a policy of %d grants", many), show(took), "", "", "< 60 s", took < time.Minute})
	question := []string{
		b.writ, "run", "--dry-run", b.path("large/hello.sh.asc"), "--trust", b.path("large/trust"), "--policy", b.path("large/store"),
		"--ledger", b.path("large/ledger.jsonl"), "--worker-group", "bench",
	}
	var all []time.Duration
	for range starts {
		all = append(all, b.run(question[0], question[1:]...))
	}
	memory := b.peakMemory(question...)
	b.add(row{fmt.Sprintf("from process start to verdict at %d grants", many), show(median(all)), "", "", "< 30 ms", median(all) < 30*time.Millisecond})
	b.add(row{"its memory", fmt.Sprintf("%.1f MiB", float64(memory)/(1<<20)), "", "", "< 40 MiB", memory < 40<<20})
}

// replays decides the decisions of a ledger again, as a new process.
func (b *bench) replays() {
	const decisions = 10_000
	const path = "/srv/runbooks/team-x/replay.sh.asc"
	verified := b.verified("replay.sh", "ed25519")
	text := grants(10, verified.Report().Signatures[0].Signer.IDs[0], "os:bench", "/srv/runbooks/team-x/replay.sh")
	engine, err := policy.New(policy.Source{Grants: []byte(text)})
	b.check(err)
	b.write("replay/policy/grants.yaml", []byte(text))
	book, err := ledger.Open(b.path("replay/ledger.jsonl"), ledger.Options{})
	b.check(err)
	w, err := worker.New(worker.Options{Ledger: book, Stage: worker.Enter(os.Exit)})
	b.check(err)
	for range decisions {
		in, err := policy.NewInput(verified, policy.Request{
			Path: path, Now: time.Now(),
			Caller: policy.Caller{Kind: "os-user", ID: "os:bench", GroupsComplete: true, Assurance: "real-uid"},
			Worker: policy.Worker{ID: "bench", Group: "bench", OS: "linux"},
		})
		b.check(err)
		_, err = w.Record(b.Context(), worker.Evidence{Report: verified.Report(), Input: in, Decision: engine.Decide(b.Context(), in)})
		b.check(err)
	}
	b.check(book.Close())
	took := best(rounds, func() time.Duration {
		return b.run(b.writ, "policy", "replay", b.path("replay/ledger.jsonl"), "--policy", b.path("replay/policy"))
	})
	rate := decisions / took.Seconds()
	b.add(row{fmt.Sprintf("replay %d recorded decisions", decisions), fmt.Sprintf("%.0f per second", rate), "", "", ">= 5000 per second", rate >= 5000})
}
