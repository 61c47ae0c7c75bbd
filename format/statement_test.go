package format_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

const statementFile = "deploy.sh-approval.statement"

// approvalText is the text of an approval for some runbook.
func approvalText(t testing.TB) []byte {
	t.Helper()
	salt := statement.NewNonce()
	text, err := statement.Render(&statement.Approval{
		Subject: statement.Subject{
			Type: statement.TypeApproval, Runbook: "deploy.sh", SHA256: runbook.DigestOf([]byte("x")), WorkerGroup: "prod",
			Reason: "change 4711 \u00fc", NotBefore: statement.At(clearsignTime), Expires: statement.At(clearsignTime.Add(time.Hour)),
		},
		Parameters: statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func signedStatement(t testing.TB, name string, text []byte, key *signer.Key) (signed []byte, file string) {
	t.Helper()
	f := &format.Statement{Now: func() time.Time { return clearsignTime }}
	signed, file, err := f.Sign(t.Context(), name, text, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed, file
}

// statementKeys are a key of either family, and a trust store with both.
func statementKeys(t testing.TB) (pgp, x509 *signer.Key, trust *verifier.TrustStore) {
	t.Helper()
	entity, pgp := clearsignKey(t, newkeys.OpenPGPOptions{})
	k := newKey(t, newkeys.X509Options{Algorithm: "p256", NotBefore: clearsignTime.AddDate(0, -1, 0), NotAfter: clearsignTime.AddDate(1, 0, 0)})
	files := append(clearsignTrust(t, entity).All(), verifier.TrustFile{Store: "s", Room: verifier.RoomX509CA, Name: "ca.pem", Data: k.CAPEM})
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	return pgp, signerKey(t, k), trust
}

func parsed(t testing.TB, name string, data []byte) *runbook.Runbook {
	t.Helper()
	rb, err := runbook.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

func TestAStatementIsSignedAndVerifiedByEitherFamilyOfKeys(t *testing.T) {
	t.Parallel()
	pgp, x509, trust := statementKeys(t)
	v := formatsVerifier(t, trust, format.NewStatement())
	text := approvalText(t)
	for want, key := range map[string]*signer.Key{statementFile + ".asc": pgp, statementFile: x509} {
		signed, file := signedStatement(t, statementFile, text, key)
		if file != want {
			t.Errorf("the file is %q, want %q", file, want)
		}
		verified, err := v.Verify(t.Context(), parsed(t, file, signed))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		s := verified.Report().Signatures
		if !bytes.Equal(verified.Payload(), text) || verified.Report().Format != "statement" || len(s) != 1 || !slices.Contains(s[0].Signer.IDs, key.ID()) {
			t.Errorf("%s: format %q, %+v, payload\n%s", file, verified.Report().Format, s, verified.Payload())
		}
	}
}

// TestAnApprovalIsNeverARunbook: whatever its name, and whoever signed it.
func TestAnApprovalIsNeverARunbook(t *testing.T) {
	t.Parallel()
	pgp, x509, trust := statementKeys(t)
	v := projectVerifier(t, trust)
	text := approvalText(t)
	document, _ := signedStatement(t, statementFile, text, pgp)
	inPlace, _ := signedStatement(t, statementFile, text, x509)
	for name, data := range map[string][]byte{
		statementFile + ".asc": document, "deploy.sh.asc": document, "deploy.ps1.asc": document, "deploy.ps1": document,
		statementFile: inPlace, "job.ps1": inPlace, "job.psd1": inPlace, "job.mof": inPlace, "deploy.sh": inPlace,
	} {
		if report := inspected(t, v, parsed(t, name, data)); report.Verdict == verifier.Valid || !report.Payload.IsZero() {
			t.Errorf("%s is %s", name, report.Verdict)
		}
	}
	if report := inspected(t, v, parsed(t, "deploy.sh.asc", document)); report.Verdict != verifier.WrongPurpose || !slices.Contains(codesOf(report), "statement") {
		t.Errorf("a renamed statement is %s: %v", report.Verdict, report.Findings)
	}
}

// TestARunbookOfferedAsAnApproval: a signature that was made for something else
// says nothing about a run.
func TestARunbookOfferedAsAnApproval(t *testing.T) {
	t.Parallel()
	entity, pgp := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := formatsVerifier(t, clearsignTrust(t, entity), format.NewStatement())
	for name, data := range map[string][]byte{
		"deploy.sh.asc":        clearsigned(t, "deploy.sh", "echo deploy\n", pgp),
		"deploy.statement.asc": clearsigned(t, "deploy.sh", "echo deploy\n", pgp),
		"list.statement.asc":   clearsigned(t, runbook.ManifestName, listing(t, folder(t, projectFiles)), pgp),
		"deploy.statement":     []byte("echo deploy\n"),
		"empty.statement":      {},
		"empty.statement.asc":  {},
		"bare.statement":       approvalText(t),
		"bare.statement.asc":   approvalText(t),
	} {
		report := inspected(t, v, parsed(t, name, data))
		if report.Verdict == verifier.Valid || !report.Payload.IsZero() {
			t.Errorf("%s is %s", name, report.Verdict)
		}
	}
}

// A script that was signed in place is no statement, and a statement no script: the
// signature says of which type the file is.
func TestASignatureInPlaceIsForOneTypeOfFile(t *testing.T) {
	t.Parallel()
	k := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomX509CA, Name: "ca.pem", Data: k.CAPEM})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewStatement()}, Now: authenticodeAt().Now})
	if err != nil {
		t.Fatal(err)
	}
	asScript := sign(t, k, "job.ps1", approvalText(t))
	report := inspected(t, v, parsed(t, statementFile, asScript))
	if report.Verdict != verifier.Malformed || !strings.Contains(failedDetails(report), "another type of file") {
		t.Errorf("%s: %s", report.Verdict, failedDetails(report))
	}
}

func failedDetails(r *verifier.Report) string {
	var b strings.Builder
	for _, s := range r.Signatures {
		for _, c := range s.Checks {
			if c.Status == verifier.StatusFailed {
				b.WriteString(c.Detail + "\n")
			}
		}
	}
	return b.String()
}

func TestNoFlippedBitOfAStatementStaysValid(t *testing.T) {
	t.Parallel()
	pgp, x509, trust := statementKeys(t)
	v := formatsVerifier(t, trust, format.NewStatement())
	for _, key := range []*signer.Key{pgp, x509} {
		signed, file := signedStatement(t, statementFile, approvalText(t), key)
		for i := 0; i < len(signed); i += 7 {
			bad := bytes.Clone(signed)
			bad[i] ^= 1 << (i % 8)
			if report := inspected(t, v, parsed(t, file, bad)); report.Verdict == verifier.Valid {
				t.Errorf("%s: byte %d flipped, and valid", file, i)
			}
		}
	}
}

// TestNobodySignsAStatementAsARunbook: a statement that somebody has put into a
// folder which is signed as a whole is not signed with it.
func TestNobodySignsAStatementAsARunbook(t *testing.T) {
	t.Parallel()
	pgp, x509, _ := statementKeys(t)
	for _, name := range []string{"deploy.sh", statementFile, "x.statement"} {
		var refused *signer.InputError
		if _, err := clearsignAt(t, name, string(approvalText(t)), pgp, clearsignTime); !errors.As(err, &refused) {
			t.Errorf("%s is signed: %v", name, err)
		}
	}
	var refused *signer.InputError
	if _, err := format.NewAuthenticode().Sign(t.Context(), parsed(t, statementFile, approvalText(t)), x509); !errors.As(err, &refused) {
		t.Errorf("signed in place: %v", err)
	}
	for name, text := range map[string][]byte{statementFile: []byte("echo\n"), "deploy.sh": approvalText(t), statementFile + ".asc": approvalText(t)} {
		if _, _, err := format.NewStatement().Sign(t.Context(), name, text, pgp); !errors.As(err, &refused) {
			t.Errorf("%s is signed as a statement: %v", name, err)
		}
	}
}

func TestAStatementThatIsNotWellMadeIsNotValid(t *testing.T) {
	t.Parallel()
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := formatsVerifier(t, clearsignTrust(t, entity), format.NewStatement())
	text := bytes.Replace(approvalText(t), []byte(`"worker_group"`), []byte(`"worker_groups"`), 1)
	signed := documentOf(t, string(text), signedBy(t, string(text), entity.Subkeys[0].PrivateKey, nil))
	report := inspected(t, v, parsed(t, statementFile+".asc", signed))
	if report.Verdict != verifier.Malformed || !slices.Contains(codesOf(report), "statement-syntax") {
		t.Errorf("%s: %v", report.Verdict, report.Findings)
	}
}
