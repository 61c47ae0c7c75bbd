package ledger_test

import (
	"bytes"
	"testing"

	"github.com/runwrit/writ/ledger"
)

// BenchmarkVerify says how many bytes of a ledger a second are verified.
func BenchmarkVerify(b *testing.B) {
	content := chained(b, 20_000)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := ledger.Verify(bytes.NewReader(content), ledger.VerifyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
