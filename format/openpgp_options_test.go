package format_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// TestOpenPGPSettingsOnVectors: the settings lift what they say, and no case that
// has to be refused passes under those about keys.
func TestOpenPGPSettingsOnVectors(t *testing.T) {
	t.Parallel()
	dir := testenv.Shared(t, "vectors/openpgp")
	for setting, want := range map[string]map[string]verifier.Verdict{
		"openpgp-time:at-signing":             {"e09-retired-sig-before": verifier.Valid},
		"openpgp-sha1-self-signatures:accept": {"e22-sha1-selfsig": verifier.Valid},
		"openpgp-unknown-signers:refuse":      {"e41-unknown-then-good": verifier.Untrusted, "e42-good-then-unknown": verifier.Untrusted},
		// The danger of this one is what d23 and d24 are made to show.
		"openpgp-trailing-blanks:accept": {
			"d01-trailing-space": verifier.Valid, "d02-trailing-tab": verifier.Valid,
			"d23-heredoc-terminator": verifier.Valid, "d24-backslash-space": verifier.Valid,
		},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			verdicts := func(more ...verifier.TrustFile) map[string]verifier.Verdict {
				trust, err := verifier.NewTrust(append(clearsignVectorTrust(t, "trusted-gpg.pgp", "trusted-go.pgp").All(), more...)...)
				if err != nil {
					t.Fatal(err)
				}
				v := clearsignVerifier(t, trust, testenv.VectorTime())
				names, err := filepath.Glob(filepath.Join(dir, "cases", "*.asc"))
				if err != nil || len(names) < 150 {
					t.Fatalf("%d cases, %v", len(names), err)
				}
				all := map[string]verifier.Verdict{}
				for _, name := range names {
					data, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					report, _ := clearsignVerdict(t, v, "a.sh.asc", data)
					all[filepath.Base(name[:len(name)-len(".asc")])] = report.Verdict
				}
				return all
			}
			strict := verdicts()
			changed := map[string]verifier.Verdict{}
			for name, v := range verdicts(verifier.TrustFile{Store: "test", Room: verifier.RoomSettings, Name: "settings", Data: []byte(setting)}) {
				if v != strict[name] {
					changed[name] = v
				}
			}
			if diff := cmp.Diff(want, changed); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOpenPGPSettingsOnRealFiles: with all of them, 22 more of the 188 are valid:
// 17 with SHA-1 inside the certificate, 3 by keys that expired since, and 2 with
// trailing blanks, of which one is by such a key as well.
func TestOpenPGPSettingsOnRealFiles(t *testing.T) {
	t.Parallel()
	dir, files := clearsignCorpus(t)
	lifted := map[verifier.Verdict]int{}
	verifiers := map[string]*verifier.Verifier{}
	for _, f := range files {
		strict, listed := clearsignCorpusRefused[f.path]
		if !listed {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.path))
		if err != nil {
			t.Fatal(err)
		}
		if verifiers[f.ring] == nil {
			verifiers[f.ring] = corpusVerifier(t, dir, f.ring, "openpgp-time:at-signing", "openpgp-sha1-self-signatures:accept", "openpgp-trailing-blanks:accept")
		}
		report, _ := clearsignVerdict(t, verifiers[f.ring], filepath.Base(f.path), data)
		switch report.Verdict {
		case strict.verdict:
		case verifier.Valid:
			lifted[strict.verdict]++
		default:
			t.Errorf("%s is %s, and %s without the settings", f.path, report.Verdict, strict.verdict)
		}
	}
	if diff := cmp.Diff(map[verifier.Verdict]int{verifier.Weak: 17, verifier.Expired: 3, verifier.Noncanonical: 2}, lifted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
