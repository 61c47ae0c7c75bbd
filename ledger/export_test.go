package ledger

import "testing"

// Line writes a record again.
func Line(t *testing.T, r Record) []byte {
	t.Helper()
	line, _, err := encodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	return line
}
