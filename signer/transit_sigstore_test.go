//go:build !nosigstore

package signer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// A key in Vault without any certificate signs Sigstore bundles; where it fails
// there is none, and the runbook is as it was.
func TestKeysInVaultSignSigstoreBundles(t *testing.T) {
	e := transit(t)
	e.Fault = func(w http.ResponseWriter, _ *http.Request, key, op string, _ int, _ []byte) bool {
		if key != "sealed" || op != "sign" {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	for _, c := range []struct{ name, algorithm string }{{"a", "rsa2048"}, {"b", "p256"}, {"c", "p384"}, {"sealed", "p256"}} {
		t.Run(c.name+" "+c.algorithm, func(t *testing.T) {
			e.AddKey(c.name, newX509(t, c.algorithm).Key)
			key, err := signer.OpenKey(t.Context(), "hashivault://"+c.name, signer.KeyOptions{Pause: func(context.Context, time.Duration) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			f, dir := format.NewSigstore(), newFiles(t)
			path := dir.write("deploy.sh", []byte("echo hello\n"))
			_, err = signer.SignFile(t.Context(), path, signer.Options{Format: f, Key: key, Verify: ownVerifier(t, key, verifier.RoomSigstore, f)})
			want, calls := []string{"deploy.sh", "deploy.sh.sigstore.json"}, 1
			if c.name == "sealed" {
				var unavailable *signer.UnavailableError
				if !errors.As(err, &unavailable) {
					t.Errorf("want no answer, got %v", err)
				}
				want, calls, err = want[:1], 4, nil
			}
			if err != nil || e.Calls(c.name, "sign") != calls {
				t.Errorf("%d calls, %v", e.Calls(c.name, "sign"), err)
			}
			if diff := cmp.Diff(want, dir.names()); diff != "" || string(dir.read("deploy.sh")) != "echo hello\n" {
				t.Error(diff)
			}
		})
	}
}
