package pgpcert_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/pgpcert"
)

// A key of 2048 bits is good enough until the end of 2030, by the clock and not
// by the time that a signature claims.
func TestAShortKeyIsRefusedFromItsDayOn(t *testing.T) {
	t.Parallel()
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "A", Created: keyTime, Algorithm: "rsa2048"})
	if err != nil {
		t.Fatal(err)
	}
	key := signs(t, e, load(t, binary(t, e)))[0]
	end := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	if !key.Until().Equal(end) {
		t.Errorf("until %s", key.Until())
	}
	for at, want := range map[time.Time]string{
		keyTime: "", end.Add(-time.Second): "", end: "the signing key is rsa2048, which is refused since 2031-01-01", end.AddDate(9, 0, 0): "refused since",
	} {
		for _, signed := range []time.Time{{}, keyTime} {
			if got := key.JudgeBy(pgpcert.Rules{Now: at, Signed: signed}).Algorithms; want == "" && got != "" || !strings.HasPrefix(got, want) && !strings.Contains(got, want) {
				t.Errorf("at %s: %q, want %q", at, got, want)
			}
		}
	}
}

// The page shows the same table.
func TestCutoffsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/formats/clearsign.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range pgpcert.CutoffRows() {
		if !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %s", row)
		}
	}
}
