package format_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/testenv"
)

// TestCorpusTimestampsAllParse reads the timestamps of the real files by others,
// and wants each that is not weak to be of the signature that it stands in, with
// a signature that fits. Microsoft's older authorities do not mark their purpose
// critical.
func TestCorpusTimestampsAllParse(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "corpus/authenticode")
	counts := map[string]int{}
	for _, row := range readIndex(t, dir) {
		sd := corpusSignature(row["path"], readFile(t, filepath.Join(dir, filepath.FromSlash(row["path"]))))
		if sd == nil {
			if row["timestamp"] != "none" {
				t.Errorf("%s: its signature is not read, and has a timestamp", row["path"])
			}
			continue
		}
		read := 0
		for _, a := range sd.Signer.Unsigned {
			for _, value := range a.Values {
				var stamp *cms.Timestamp
				var err error
				switch a.Type {
				case cms.OIDTimestamp:
					stamp, err = cms.ParseToken(value)
				case cms.OIDCountersign:
					stamp, err = cms.ParseCountersignature(value, sd.Certificates)
				default:
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", row["path"], err)
					continue
				}
				read++
				word := "good"
				if _, err := stamp.Check(sd.Signer.Value); err != nil {
					word = err.Error()
				}
				counts[row["timestamp"]+" "+word]++
				if d, ok := cms.DigestOf(stamp.Digest); !ok || !d.Weak && word != "good" && !strings.Contains(word, "not critical") {
					t.Errorf("%s: %s", row["path"], word)
				}
			}
		}
		if (read > 0) != (row["timestamp"] != "none") {
			t.Errorf("%s: %d timestamps read, the index says %s", row["path"], read, row["timestamp"])
		}
	}
	for key, n := range counts {
		t.Logf("%3d %s", n, key)
	}
	for _, kind := range []string{"rfc3161 good", "legacy good"} {
		if counts[kind] == 0 {
			t.Errorf("none is %s", kind)
		}
	}
}

// corpusSignature is nil for a file without a signature that can be read.
func corpusSignature(name string, data []byte) *cms.SignedData {
	style, _ := authscript.StyleOf(name)
	script, err := authscript.Parse(style, data)
	if err != nil {
		for r := range authscript.Repairs(style, data) {
			if script, err = authscript.Parse(style, r.Data); err == nil {
				break
			}
		}
	}
	if err != nil {
		return nil
	}
	sd, err := cms.Parse(script.Block)
	if err != nil {
		return nil
	}
	return sd
}

// TestCorpusTimestampersChainToWhatTheyBring takes for anchors the topmost
// authorities that the tokens themselves carry; none carries its root.
func TestCorpusTimestampersChainToWhatTheyBring(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "corpus/authenticode")
	chained := 0
	for _, row := range readIndex(t, dir) {
		sd := corpusSignature(row["path"], readFile(t, filepath.Join(dir, filepath.FromSlash(row["path"]))))
		if sd == nil || row["timestamp"] != "rfc3161" {
			continue
		}
		i := slices.IndexFunc(sd.Signer.Unsigned, func(a cms.Attribute) bool { return a.Type == cms.OIDTimestamp })
		stamp, err := cms.ParseToken(sd.Signer.Unsigned[i].Values[0])
		if err != nil {
			t.Fatal(err)
		}
		by, err := stamp.Check(sd.Signer.Value)
		if err != nil {
			continue // TestCorpusTimestampsAllParse says why
		}
		if err := format.TimestamperChain(by, stamp); err != nil {
			t.Errorf("%s: %v", row["path"], err)
			continue
		}
		if leaf, err := sd.SignerCertificate(); err != nil || stamp.Time.Before(leaf.NotBefore) || stamp.Time.After(leaf.NotAfter) {
			t.Errorf("%s: stamped at %s, outside of its certificate", row["path"], stamp.Time)
		}
		chained++
	}
	if t.Logf("%d tokens have a chain", chained); chained < 100 {
		t.Errorf("only %d tokens have a chain", chained)
	}
}
