package broker_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/runwrit/writ/worker/broker"
)

// vault is a source of tokens of one's own.
type vault struct{}

func (vault) Token(_ context.Context, audience string) ([]byte, time.Time, error) {
	return []byte("a token for " + audience), time.Now().Add(time.Hour), nil
}

// A worker gets a Broker in its Options. What it does with it for each run is this.
func Example() {
	b, err := broker.New(broker.Options{Source: vault{}, Protocol: broker.AppService})
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := b.Open(context.Background(), broker.Job{
		Audiences: []string{"api://dns"},
		Record: func(_ context.Context, d broker.Decision) error {
			fmt.Printf("%s: allowed %v, given %v\n", d.Audience, d.Allowed, d.Given)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer run.Close()

	// The runbook, which knows its environment only.
	env := map[string]string{}
	for _, entry := range run.Env() {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	for _, audience := range []string{"api://dns", "api://payroll"} {
		request, err := http.NewRequest(http.MethodGet, env["IDENTITY_ENDPOINT"]+"?api-version=2019-08-01&resource="+audience, http.NoBody)
		if err != nil {
			fmt.Println(err)
			return
		}
		request.Header.Set("X-IDENTITY-HEADER", env["IDENTITY_HEADER"])
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = response.Body.Close()
		fmt.Println(response.StatusCode)
	}
	// Output:
	// api://dns: allowed true, given true
	// 200
	// api://payroll: allowed false, given false
	// 403
}
