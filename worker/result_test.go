package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	ran := worker.Result{Started: true}
	for name, c := range map[string]struct {
		result worker.Result
		err    error
		code   int
		codes  string
		origin string
	}{
		"nothing happened":               {worker.Result{}, nil, 125, "not-started", "gate"},
		"it ended":                       {ran, nil, 0, "", "runbook"},
		"it ended with a code":           {worker.Result{Started: true, Status: 126}, nil, 126, "", "runbook"},
		"a signal ended it":              {worker.Result{Started: true, Status: -1, Signal: 9}, nil, 137, "", "runbook"},
		"its end is not known":           {worker.Result{Started: true, Status: -1}, nil, 125, "not-known", "gate"},
		"its time was up":                {worker.Result{Started: true, Status: 0, TimedOut: true}, nil, 124, "timed-out", "gate"},
		"it was killed in the end":       {worker.Result{Started: true, Status: -1, Signal: 9, TimedOut: true}, nil, 124, "timed-out", "gate"},
		"it was told to end, and says 0": {worker.Result{Started: true, Canceled: true}, nil, 143, "canceled", "gate"},
		"it was told to end, and killed": {worker.Result{Started: true, Status: -1, Signal: 9, Canceled: true}, nil, 137, "canceled", "gate"},
		"the end is not recorded":        {ran, &worker.LedgerError{Type: ledger.TypeEnd, Err: errors.New("x")}, 125, "ledger", "gate"},
		"a denial":                       {worker.Result{}, &worker.DeniedError{Reasons: []policy.Reason{{Code: "a"}, {Code: "b"}}}, 126, "a b", "gate"},
		"a denial without reasons":       {worker.Result{}, &worker.DeniedError{}, 126, "denied", "gate"},
		"an unverified runbook":          {worker.Result{}, &verifier.UnverifiedError{Report: &verifier.Report{}}, 126, "unverified", "gate"},
		"an argument":                    {worker.Result{}, &policy.ArgumentError{}, 126, "arguments", "gate"},
		"no interpreter":                 {worker.Result{}, &worker.InterpreterError{}, 127, "interpreter", "gate"},
		"no runbook":                     {worker.Result{}, fmt.Errorf("x: %w", worker.ErrNoRunbook), 127, "runbook-missing", "gate"},
		"no ledger":                      {worker.Result{}, worker.ErrNoLedger, 125, "ledger", "gate"},
		"no permit":                      {worker.Result{}, &worker.PermitError{}, 125, "permit", "gate"},
		"a variable":                     {worker.Result{}, &worker.EnvironmentError{}, 125, "environment", "gate"},
		"an obligation":                  {worker.Result{}, &worker.ObligationError{}, 125, "obligation", "gate"},
		"no process":                     {worker.Result{}, &worker.StartError{Err: errors.New("x")}, 125, "start", "gate"},
		"another system":                 {worker.Result{}, &worker.SystemError{OS: "plan9"}, 125, "system", "gate"},
		"anything else":                  {worker.Result{}, errors.New("x"), 125, "gate", "gate"},
	} {
		if code := worker.ExitCode(c.result, c.err); code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
		if codes := strings.Join(worker.Codes(c.result, c.err), " "); codes != c.codes {
			t.Errorf("%s: codes %q, want %q", name, codes, c.codes)
		}
		data, err := worker.EncodeResult(c.result, c.err)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Version int
			Origin  string
			Exit    int
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Version != 1 || doc.Origin != c.origin || doc.Exit != c.code {
			t.Errorf("%s: %s", name, data)
		}
	}
}

func TestEncodeResult(t *testing.T) {
	t.Parallel()
	digest := runbook.DigestOf([]byte("x"))
	data, err := worker.EncodeResult(worker.Result{
		Started: true, Status: 3, Duration: 1500 * time.Millisecond, StdoutBytes: 4, StderrBytes: 5,
		StdoutDigest: digest, Lines: worker.LineCounts{Output: 1, Warning: 2}, StderrLog: worker.Log{Path: "/logs/x", Bytes: 5, Cut: true, Digest: digest},
		User: "svc", Sandbox: "strict", Contained: []string{"namespaces"},
		Decision: 7, Start: 8, End: 9, Verdict: verifier.Valid, Runbook: digest, Payload: digest,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"origin":"runbook","exit":3,"codes":[],"error":"","verdict":"valid","digest":"` + digest.String() +
		`","payload_digest":"` + digest.String() + `","decision_id":7,"start_id":8,"end_id":9,"started":true,"status":3,"signal":0,` +
		`"timed_out":false,"canceled":false,"duration_ms":1500,"stdout_bytes":4,"stderr_bytes":5,` +
		`"state":"Failed","exception":"The runbook ended with exit code 3.","stdout_sha256":"` + digest.String() + `","stderr_sha256":"",` +
		`"lines":{"output":1,"error":0,"warning":2,"verbose":0,"debug":0},"user":"svc","sandbox":"strict","contained":["namespaces"],` +
		`"logs":[{"stream":"stderr","path":"/logs/x","bytes":5,"cut":true,"sha256":"` + digest.String() + `"}],"warnings":[]}` + "\n"
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	zero, err := worker.EncodeResult(worker.Result{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(zero), `"origin":"gate","exit":125`) || !strings.Contains(string(zero), `"verdict":"not-checked"`) || !strings.Contains(string(zero), `"status":null`) {
		t.Errorf("the zero value says %s", zero)
	}
}

// A rule of a user may put what a certificate says into its reason.
func TestAResultHoldsNoControlCharacter(t *testing.T) {
	t.Parallel()
	evil := "\x1b[2J \u009b2J \u202e \U000e0041 \xff \x7f"
	data, err := worker.EncodeResult(worker.Result{Warnings: []string{evil}}, &worker.DeniedError{Reasons: []policy.Reason{{Code: "c", Msg: evil}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range data[:len(data)-1] {
		if c < 0x20 || c > 0x7e {
			t.Fatalf("byte %#x at %d of %q", c, i, data)
		}
	}
}
