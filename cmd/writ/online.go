package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
)

// Limits of one fetch.
const (
	maxFetchTime = 15 * time.Second
	maxFetchSize = 20 << 20
	maxRedirects = 3
)

// onlineOption is the --online flag of the commands that may use the network for
// a verdict. It does not exist for run.
type onlineOption struct{ on bool }

func (o *onlineOption) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.on, "online", false, "fetch CRLs and OCSP responses from where the signers' certificates say, if the trust store has no fresh ones")
}

// fetch is nil without the flag.
func (o *onlineOption) fetch(ctx context.Context) format.FetchFunc {
	if !o.on {
		return nil
	}
	return newFetch(ctx)
}

// newFetch fetches over http and https, until ctx ends. A CRL or OCSP response is
// signed, so that http is no worse.
func newFetch(ctx context.Context) format.FetchFunc {
	client := &http.Client{
		Timeout: maxFetchTime,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects || r.URL.Scheme != "http" && r.URL.Scheme != "https":
				return errors.New("redirected too often, or to something other than http")
			case r.URL.Hostname() != via[0].URL.Hostname():
				// Whoever is on the way of an answer over http must not send this
				// machine to hosts that only it can reach.
				return errors.New("redirected to another host than the certificate names")
			}
			return nil
		},
	}
	return func(url string, request []byte) ([]byte, error) {
		method, body := http.MethodGet, io.Reader(nil)
		if request != nil {
			method, body = http.MethodPost, bytes.NewReader(request)
		}
		r, err := http.NewRequestWithContext(ctx, method, url, body)
		if err != nil {
			return nil, errors.New("the URL cannot be used")
		}
		r.Header.Set("User-Agent", "writ")
		if request != nil {
			r.Header.Set("Content-Type", "application/ocsp-request")
			r.Header.Set("Accept", "application/ocsp-response")
		}
		response, err := client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("not fetched: %v", err)
		}
		defer func() { _ = response.Body.Close() }() // it was read for all that it is worth
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("not fetched: the server answers %d", response.StatusCode)
		}
		data, err := io.ReadAll(io.LimitReader(response.Body, maxFetchSize+1))
		switch {
		case err != nil:
			return nil, fmt.Errorf("not fetched: %v", err)
		case len(data) > maxFetchSize:
			return nil, fmt.Errorf("not fetched: more than %d MiB", maxFetchSize>>20)
		}
		return data, nil
	}
}
