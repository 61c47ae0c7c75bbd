package broker_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/worker/broker"
)

// clientFor makes this test binary a client that asks for a token with the library of
// Azure, which looks at its environment alone.
const clientFor = "WRIT_TEST_CLIENT_FOR"

func TestMain(m *testing.M) {
	if scope := os.Getenv(clientFor); scope != "" {
		_, _ = io.WriteString(os.Stdout, client(scope)+"\n")
		return
	}
	m.Run()
}

// client is what the library says.
func client(scope string) string {
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		return "error: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("token: %s %s", token.Token, token.ExpiresOn.UTC().Format(time.RFC3339))
}

// ask runs the library in a process of its own, with these variables and no other.
func ask(t *testing.T, scope string, env []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{clientFor + "=" + scope, "HOME=" + t.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// realTime makes the clock that of the library, which has no other.
func realTime(r *run) *run {
	r.host.change(func(h *host) { h.now = time.Now().Truncate(time.Second) })
	return r
}

func TestTheLibraryOfAzureGetsItsTokenByTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, names := range map[string][]string{
		"as App Service":  {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"},
		"in its old form": {"MSI_ENDPOINT", "MSI_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := realTime(open(t, broker.AppService))
			var env []string
			for _, name := range names {
				env = append(env, name+"="+r.env[name])
			}
			want := fmt.Sprintf("token: %s-1 %s\n", theToken, r.host.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			if got := ask(t, azure+"/.default", env); got != want || r.host.questions()[0] != azure {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := ask(t, "https://vault.azure.net/.default", env); !strings.Contains(got, "audience: the policy grants this runbook no token") {
				t.Errorf("%s", got)
			}
		})
	}
}

// The library reads the files of Arc's agent where that puts them, and nowhere else.
func TestTheLibraryOfAzureGetsItsTokenInTheShapeOfArc(t *testing.T) {
	t.Parallel()
	h, b := newHost(), &book{}
	h.now = time.Now()
	made, err := broker.New(broker.Options{Source: h, Protocol: broker.Arc, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	path := testenv.ArcKey(t, fmt.Sprintf("writ-broker-%d.key", os.Getpid()), nil)
	e, err := made.Open(t.Context(), broker.Job{Audiences: []string{azure}, Record: b.record, SecretFile: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if err := os.WriteFile(path, e.Secret(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, azure+"/.default", e.Env()); !strings.HasPrefix(got, "token: "+theToken) {
		t.Errorf("%s", got)
	}
}
