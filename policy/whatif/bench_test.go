package whatif_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/runwrit/writ/policy/whatif"
)

// BenchmarkReplay measures how many recorded decisions are made again in a
// second, on all cores, chain and digests checked: the bar is 5,000.
func BenchmarkReplay(b *testing.B) {
	const decisions = 5_000
	g := newGate(b)
	path := g.recordMany(decisions)
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	e := g.changed("[web, db]", "[web]")
	b.ReportMetric(float64(len(content)/decisions), "bytes/record")
	for b.Loop() {
		start := time.Now()
		c, err := whatif.Replay(b.Context(), bytes.NewReader(content), whatif.ReplayOptions{Engine: e, Changes: 20})
		if err != nil || c.Decisions != decisions || c.Counts[whatif.NowDenied] != decisions/4 {
			b.Fatalf("%v %+v", err, c)
		}
		b.ReportMetric(decisions/time.Since(start).Seconds(), "decisions/s")
	}
}
