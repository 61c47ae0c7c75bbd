// Command vaultserver is a real server of HashiCorp Vault for tests, a program and
// a module of its own, so that nothing of Vault, nor of what it needs, is in writ.
// Vault's licence is the Business Source License 1.1; the program is not handed on.
// It keeps everything in memory, is initialised and unsealed, has the transit
// engine to mount, and listens on loopback without TLS. It is not for use.
//
// It writes one line: {"url", "token", "key"}, which are its address, its root token
// and the key that unseals it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if err := serve(os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err) // nobody else is left to tell
	}
}

// serve ends with an error only.
func serve(out io.Writer) error {
	logger := hclog.NewNullLogger()
	store, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: store, DisableMlock: true, Logger: logger,
		LogicalBackends: map[string]logical.Factory{"transit": transit.Factory},
		BuiltinRegistry: noPlugins{},
	})
	if err != nil {
		return err
	}
	made, err := core.Initialize(context.Background(), &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return err
	}
	if _, err := core.Unseal(made.SecretShares[0]); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(map[string]any{
		"url": "http://" + listener.Addr().String(), "token": made.RootToken, "key": made.SecretShares[0],
	}); err != nil {
		return err
	}
	server := &http.Server{Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core: core, ListenerConfig: &configutil.Listener{Address: listener.Addr().String(), MaxRequestDuration: time.Minute},
	})}
	return server.Serve(listener)
}

// noPlugins says that nothing but the engines of Vault itself is built in.
type noPlugins struct{}

func (noPlugins) Contains(string, consts.PluginType) bool                   { return false }
func (noPlugins) Get(string, consts.PluginType) (func() (any, error), bool) { return nil, false }
func (noPlugins) Keys(consts.PluginType) []string                           { return nil }
func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}
func (noPlugins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
