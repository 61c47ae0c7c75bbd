//go:build !nosigstore

package testsigstore

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
)

// fulcio is the real program, with a certificate authority in memory.
type fulcio struct {
	url   string
	chain [][]byte // of its authority, DER, the root last
}

// jobNames say how certificates name jobs of GitHub Actions: as those of the public
// Sigstore do.
var jobNames = map[string]any{
	"DefaultTemplateValues":          map[string]any{"url": "https://github.com"},
	"SubjectAlternativeNameTemplate": "{{ .url }}/{{ .job_workflow_ref }}",
	"ExtensionTemplates": map[string]any{
		"GithubWorkflowTrigger": "event_name", "GithubWorkflowSHA": "sha", "GithubWorkflowName": "workflow", "GithubWorkflowRepository": "repository", "GithubWorkflowRef": "ref",
		"BuildSignerURI": "{{ .url }}/{{ .job_workflow_ref }}", "BuildSignerDigest": "job_workflow_sha", "RunnerEnvironment": "runner_environment",
		"SourceRepositoryURI": "{{ .url }}/{{ .repository }}", "SourceRepositoryDigest": "sha", "SourceRepositoryRef": "ref",
		"BuildConfigURI": "{{ .url }}/{{ .workflow_ref }}", "BuildConfigDigest": "workflow_sha", "BuildTrigger": "event_name",
	},
}

// startFulcio starts it with an issuer for people and two for jobs of GitHub Actions,
// the older one of which it knows without being told about it. It ends with the test.
func startFulcio(t testing.TB, people, jobs, oldJobs string, log *ctLog) *fulcio {
	t.Helper()
	program := testenv.Tool(t, "fulcio")
	dir := t.TempDir()
	issuer := func(url, kind string) map[string]any {
		return map[string]any{"IssuerURL": url, "ClientID": "sigstore", "Type": kind, "CIProvider": "github"}
	}
	config, err := json.Marshal(map[string]any{
		"OIDCIssuers":      map[string]any{people: issuer(people, "email"), jobs: issuer(jobs, "ci-provider"), oldJobs: issuer(oldJobs, "github-workflow")},
		"CIIssuerMetadata": map[string]any{"github": jobNames},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // somebody else may take a port first
		port := freePort(t)
		f, said := runFulcio(t, port, program, "serve", "--ca", "ephemeralca", "--ct-log-url", log.url, "--config-path", filepath.Join(dir, "config.json"),
			"--host", "127.0.0.1", "--grpc-host", "127.0.0.1", "--port", port, "--grpc-port", freePort(t), "--metrics-port", freePort(t),
			"--legacy-unix-domain-socket", filepath.Join(dir, "socket"))
		if f != nil {
			return f
		}
		if !strings.Contains(said, "address already in use") {
			t.Fatalf("fulcio does not start: %.2000s", said)
		}
	}
	t.Fatal("the ports of fulcio are taken all the time")
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err == nil {
		err = listener.Close() // the program takes it a moment later
	}
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runFulcio waits until it answers or has ended; then said is what it wrote.
func runFulcio(t testing.TB, port, program string, args ...string) (f *fulcio, said string) {
	t.Helper()
	server := testenv.StartServer(t, program, args...)
	t.Cleanup(func() { _ = server.End() })
	f = &fulcio{url: "http://127.0.0.1:" + port}
	for range 600 {
		if f.chain = trustBundle(f.url); f.chain != nil {
			return f, ""
		}
		select {
		case <-server.Ended():
			return nil, server.End()
		case <-time.After(50 * time.Millisecond): // nothing tells when a server listens
		}
	}
	return nil, server.End() + "it does not answer"
}

// trustBundle returns nil while nobody answers.
func trustBundle(url string) (chain [][]byte) {
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(url + "/api/v2/trustBundle")
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	var answer struct {
		Chains []struct{ Certificates []string }
	}
	data, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(data, &answer) != nil || len(answer.Chains) != 1 {
		return nil
	}
	for _, text := range answer.Chains[0].Certificates {
		if block, _ := pem.Decode([]byte(text)); block != nil {
			chain = append(chain, block.Bytes)
		}
	}
	return chain
}
