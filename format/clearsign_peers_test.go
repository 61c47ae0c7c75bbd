package format_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	openpgpv1 "github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// peerScore counts the mistakes of one program over the vectors.
type peerScore struct {
	name                       string
	falseAccepts, falseRejects int
}

func (s *peerScore) count(expected string, accepts bool) {
	switch {
	case expected == "reject" && accepts:
		s.falseAccepts++
	case expected == "accept" && !accepts:
		s.falseRejects++
	}
}

// TestTheVectorsAgainstPeers counts what other programs accept of the hostile
// vectors, and refuse of the good ones, beside our own verdicts. What the peers
// say is in the index, but for the first API of go-crypto, which runs here.
func TestTheVectorsAgainstPeers(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "vectors/openpgp")
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(index)), "\n")
	head := strings.Split(lines[0], "\t")
	scores := make([]peerScore, len(head)-3, len(head)-1)
	for i := range scores {
		scores[i].name = head[3+i]
	}
	v1, ours := peerScore{name: "go-crypto v1"}, peerScore{name: "writ"}
	trust := clearsignVectorTrust(t, "trusted-gpg.pgp", "trusted-go.pgp")
	v := clearsignVerifier(t, trust, testenv.VectorTime())
	var ring openpgpv1.EntityList
	for _, f := range trust.Files(verifier.RoomOpenPGP) {
		list, err := openpgpv1.ReadKeyRing(bytes.NewReader(f.Data))
		if err != nil {
			t.Fatal(err)
		}
		ring = append(ring, list...)
	}
	cases := map[string]int{}
	for _, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		expected := fields[2]
		cases[expected]++
		for i := range scores {
			scores[i].count(expected, peerAccepts(fields[3+i]))
		}
		data, err := os.ReadFile(filepath.Join(dir, fields[0]))
		if err != nil {
			t.Fatal(err)
		}
		v1.count(expected, goCryptoV1Accepts(ring, data))
		report, _ := clearsignVerdict(t, v, "case.asc", data)
		ours.count(expected, report.Verdict == verifier.Valid)
	}
	if cases["reject"] != 87 || cases["accept"] != 25 || cases["policy"] != len(clearsignPolicy) {
		t.Errorf("the vectors are %v", cases)
	}
	if ours.falseAccepts != 0 || ours.falseRejects != 0 {
		t.Errorf("%d hostile vectors are valid and %d good ones are not", ours.falseAccepts, ours.falseRejects)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| program | accepts, of %d hostile files | refuses, of %d good files |\n|---|---|---|\n", cases["reject"], cases["accept"])
	for _, s := range slices.Concat(scores, []peerScore{v1, ours}) {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", s.name, s.falseAccepts, s.falseRejects)
	}
	holdTable(t, "clearsign.md", "TestTheVectorsAgainstPeers", b.String())
}

// peerAccepts reads a column of the index: an exit code, or the answer of a library.
func peerAccepts(said string) bool {
	code, _, _ := strings.Cut(said, ":")
	code, _, _ = strings.Cut(code, "/")
	return code == "0" || code == "ok"
}

// goCryptoV1Accepts is what a program does that takes the first document of a
// file and asks who signed it.
func goCryptoV1Accepts(ring openpgpv1.EntityList, data []byte) bool {
	block, _ := clearsign.Decode(data)
	if block == nil {
		return false
	}
	_, err := block.VerifySignature(ring, &packet.Config{Time: testenv.VectorTime})
	return err == nil
}
