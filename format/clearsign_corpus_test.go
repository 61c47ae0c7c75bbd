package format_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// clearsignCorpusRefused are the real files that are refused, and why. All
// others are valid: 133 of 188. The prototype of openpgp-clearsign.md accepted
// 141, and the paper does not name them: what is stricter here are SHA-1
// back-signatures, a signature of an unknown version beside a good one, and that
// all copies of a certificate count, of which one says that it expired.
var clearsignCorpusRefused = map[string]struct {
	verdict verifier.Verdict
	reason  string
}{
	"dsc/perl_5.36.0-7+deb12u3.dsc":                                                              {verifier.Expired, "certificate"},
	"dsc/sudo_1.9.13p3-1+deb12u4.dsc":                                                            {verifier.Expired, "certificate"},
	"dsc/sudo_1.9.16p2-3+deb13u2.dsc":                                                            {verifier.Expired, "certificate"},
	"dsc/ansible_7.7.0+dfsg-3+deb12u1.dsc":                                                       {verifier.Weak, "SHA-1 back-signature of the signing subkey"},
	"dsc/git_2.39.5-0+deb12u3.dsc":                                                               {verifier.Weak, "SHA-1 back-signature of the signing subkey"},
	"dsc/grep_3.8-5.dsc":                                                                         {verifier.Untrusted, "key not in the ring"},
	"dsc/tmux_3.3a-3.dsc":                                                                        {verifier.Untrusted, "key not in the ring"},
	"dsc/tmux_3.5a-3.dsc":                                                                        {verifier.Untrusted, "key not in the ring"},
	"wild/go-crypto--clearsign_test.go-00":                                                       {verifier.Malformed, "two messages in one file"},
	"wild/go-crypto--clearsign_test.go-01":                                                       {verifier.Untrusted, "key not in the ring"},
	"wild/go-crypto--clearsign_test.go-02":                                                       {verifier.Untrusted, "key not in the ring"},
	"wild/openpgpjs--signature.js-00":                                                            {verifier.Malformed, "text among the headers"},
	"wild/openpgpjs--signature.js-01":                                                            {verifier.Malformed, "an unknown hash in the header"},
	"wild/openpgpjs--signature.js-03":                                                            {verifier.Malformed, "a blank behind the marker"},
	"wild/openpgpjs--signature.js-04":                                                            {verifier.Noncanonical, "trailing blanks; SHA-1; key not in the ring"},
	"wild/openpgpjs--signature.js-06":                                                            {verifier.Unsupported, "one of the two signatures is of version 23"},
	"wild/openpgpjs--signature.js-07":                                                            {verifier.Unsupported, "a signature of version 5"},
	"wild/PGPy--tests_testdata_blocks_cleartext.asc":                                             {verifier.Revoked, "certificate"},
	"wild/PGPy--tests_testdata_blocks_cleartext.twosigs.asc":                                     {verifier.Revoked, "certificate"},
	"wild/PGPy--tests_testdata_messages_cleartext.dashesc.signed.asc":                            {verifier.Revoked, "certificate"},
	"wild/PGPy--tests_testdata_messages_cleartext.empty.signed.asc":                              {verifier.Revoked, "certificate"},
	"wild/PGPy--tests_testdata_messages_cleartext.oneline.signed.asc":                            {verifier.Revoked, "certificate"},
	"wild/PGPy--tests_testdata_messages_cleartext.signed.asc":                                    {verifier.Revoked, "certificate"},
	"wild/monero--_posts_2021-12-06-vulnerability-multisig.md":                                   {verifier.Malformed, "a web page with a message inside"},
	"wild/monero--onion.txt":                                                                     {verifier.Noncanonical, "trailing blanks"},
	"wild/qubes--digests_Qubes-R2-x86_64-DVD.iso.DIGESTS":                                        {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.0-rc1-x86_64-DVD.iso.DIGESTS":                                  {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.0-rc2-x86_64-DVD.iso.DIGESTS":                                  {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.0-rc3-x86_64-DVD.iso.DIGESTS":                                  {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.0-x86_64-DVD.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.1-rc1-x86_64-DVD.iso.DIGESTS":                                  {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.1-rc2-x86_64.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.1-rc3-x86_64.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.1-x86_64.iso.DIGESTS":                                          {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2-rc1-x86_64.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2-rc2-x86_64.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2-rc3-x86_64.iso.DIGESTS":                                      {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2-x86_64.iso.DIGESTS":                                          {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2.1-rc1-x86_64.iso.DIGESTS":                                    {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/qubes--digests_Qubes-R3.2.1-x86_64.iso.DIGESTS":                                        {verifier.Weak, "SHA-1 self-signatures only"},
	"wild/rnp--src_tests_data_test_fuzz_verify_timeout-c2aff538c73b447bca689005e9762840b5a022d0": {verifier.Malformed, "a fuzzer's file"},
	"wild/rnp--src_tests_data_test_key_validity_case8_message.txt.asc":                           {verifier.Noncanonical, "CRs in the text; certificate expired"},
	"wild/rnp--src_tests_data_test_messages_message.4k-long-lines.asc":                           {verifier.Noncanonical, "CRs in the text; certificate expired"},
	"wild/rnp--src_tests_data_test_messages_message.txt.clear-2-sigs":                            {verifier.Expired, "certificate; the other signature is of version 10"},
	"wild/rnp--src_tests_data_test_messages_message.txt.clear-2-sigs-2":                          {verifier.Expired, "certificate; the other signature is of version 11"},
	"wild/rnp--src_tests_data_test_messages_message.txt.cleartext-malf":                          {verifier.Malformed, "a cut-off signature packet"},
	"wild/rnp--src_tests_data_test_messages_message.txt.cleartext-nosig":                         {verifier.Malformed, "no signature"},
	"wild/rnp--src_tests_data_test_messages_message.txt.cleartext-signed":                        {verifier.Noncanonical, "CRs in the text; RSA-1024, SHA-1"},
	"wild/rnp--src_tests_data_test_messages_message.txt.cleartext-signed-nonewline":              {verifier.Malformed, "no signature block begins"},
	"wild/rnp--src_tests_data_test_messages_message.txt.signed.v5-clear-rsa":                     {verifier.Unsupported, "a signature of version 5"},
	"wild/rpgp--tests_rfc9580_v6-legacy_illegal_csf.msg":                                         {verifier.Untrusted, "a certificate that RFC 9580 forbids"},
	"wild/rpgp--tests_unit-tests_cleartext-msg-01-fail.asc":                                      {verifier.Malformed, "text behind the message"},
	"wild/rpgp--tests_unit-tests_cleartext-msg-02-fail.asc":                                      {verifier.Malformed, "text before the message"},
	"wild/rpgp--tests_unit-tests_csf-puppet_InRelease":                                           {verifier.Noncanonical, "trailing blanks; certificate expired"},
	"wild/rpgp--tests_unit-tests_csf_gpg.fail-notdash":                                           {verifier.Malformed, "NotDashEscaped"},
}

// clearsignCorpusGnuPGRefuses are the valid files that GnuPG 2.2 does not
// verify, and why.
var clearsignCorpusGnuPGRefuses = map[string]string{
	"wild/openpgpjs--signature.js-02":                                           "version 6",
	"wild/rnp--src_tests_data_RFC9580_A.6.-sample-cleartext-signed-message.asc": "version 6",
	"wild/rpgp--tests_rfc9580_v4-ed25519-x25519_csf.msg":                        "no CRC24",
	"wild/rpgp--tests_rfc9580_v6-25519-annex-a-4_csf.msg":                       "version 6",
	"wild/rpgp--tests_rfc9580_v6-ed25519-x448_csf.msg":                          "version 6",
	"wild/rpgp--tests_rfc9580_v6-ed448-x448_csf.msg":                            "version 6",
	"wild/rpgp--tests_rfc9580_v6-nistp_csf.msg":                                 "version 6",
	"wild/rpgp--tests_rfc9580_v6-rsa_csf.msg":                                   "version 6",
	"wild/rpgp--tests_unit-tests_csf_empty.csf":                                 "no CRC24",
	"wild/rpgp--tests_unit-tests_csf_msg.csf":                                   "no CRC24",
}

type corpusFile struct {
	path, ring, gpg string // gpg: what gpg 2.2.40 says
}

// gpgIsContent reports whether gpg calls the file good, by keys that have
// neither expired nor been revoked.
func (f corpusFile) gpgIsContent() bool {
	return strings.HasPrefix(f.gpg, "0:GOODSIG")
}

func clearsignCorpus(t testing.TB) (dir string, files []corpusFile) {
	t.Helper()
	dir = testenv.Shared(t, "corpus/openpgp")
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(index)) {
		if f := strings.Split(line, "\t"); f[0] != "file" {
			files = append(files, corpusFile{f[0], f[2], f[7]})
		}
	}
	if len(files) != 188 {
		t.Fatalf("%d files", len(files))
	}
	return dir, files
}

// corpusVerifier trusts all certificates of one ring, of which the corpus has
// some as a folder of single files, deliberately broken ones among them.
func corpusVerifier(t testing.TB, dir, ring string, settings ...string) *verifier.Verifier {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "keys", ring+".d", "*.pgp"))
	if err != nil {
		t.Fatal(err)
	}
	var usable []verifier.TrustFile
	for _, name := range append(names, filepath.Join(dir, "keys", ring+".pgp")) {
		data, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || err == nil && len(data) == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		file := verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: filepath.Base(name), Data: data}
		trust, err := verifier.NewTrust(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := format.NewClearsign().Load(trust); err == nil {
			usable = append(usable, file)
		}
	}
	if len(settings) > 0 {
		usable = append(usable, verifier.TrustFile{Store: "test", Room: verifier.RoomSettings, Name: "settings", Data: []byte(strings.Join(settings, "\n"))})
	}
	trust, err := verifier.NewTrust(usable...)
	if err != nil {
		t.Fatal(err)
	}
	return clearsignVerifier(t, trust, testenv.VectorTime())
}

func TestClearsignCorpusIsJudgedAsListed(t *testing.T) {
	t.Parallel()
	dir, files := clearsignCorpus(t)
	verifiers := map[string]*verifier.Verifier{}
	valid := 0
	for _, f := range files {
		if verifiers[f.ring] == nil {
			verifiers[f.ring] = corpusVerifier(t, dir, f.ring)
		}
		data, err := os.ReadFile(filepath.Join(dir, f.path))
		if err != nil {
			t.Fatal(err)
		}
		report, _ := clearsignVerdict(t, verifiers[f.ring], filepath.Base(f.path), data)
		want := verifier.Valid
		if refused, listed := clearsignCorpusRefused[f.path]; listed {
			want = refused.verdict
		}
		if reason, listed := clearsignCorpusGnuPGRefuses[f.path]; want == verifier.Valid && f.gpgIsContent() == listed {
			t.Errorf("%s: gpg says %s, and the reason listed for a difference is %q", f.path, f.gpg, reason)
		}
		if report.Verdict != want {
			t.Errorf("%s is %s, want %s: %+v", f.path, report.Verdict, want, report)
		}
		if report.Verdict == verifier.Valid {
			valid++
		}
	}
	if valid != 133 {
		t.Errorf("%d of %d are valid, want 133", valid, len(files))
	}
}

// TestClearsignCorpusTextIsGnuPGs compares with what gpg writes out, whether it
// finds the signature good or not. Where gpg keeps CRs, they are the difference.
func TestClearsignCorpusTextIsGnuPGs(t *testing.T) {
	t.Parallel()
	dir, files := clearsignCorpus(t)
	g := newGnuPG(t)
	// Of these, gpg takes header lines for text, or text for something else.
	differ := map[string]string{
		"wild/rpgp--tests_rfc9580_v6-ed448-x448_csf.msg": "gpg does not know Hash: SHA3-512",
	}
	compared := 0
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.path))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := cleartext.Parse(data)
		if err != nil {
			if clearsignCorpusRefused[f.path].verdict != verifier.Malformed {
				t.Errorf("%s: %v", f.path, err)
			}
			continue
		}
		out, said, err := g.run(data, "--decrypt")
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatalf("%s: %v\n%s", f.path, err, said)
		}
		out = bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n"))
		if _, known := differ[f.path]; known {
			continue
		}
		compared++
		if diff := cmp.Diff(string(out), string(doc.Text())); diff != "" {
			t.Errorf("%s (-gpg +writ):\n%s", f.path, diff)
		}
	}
	if compared != 176 { // of 188; 11 are malformed
		t.Errorf("%d texts compared, want 176", compared)
	}
}
