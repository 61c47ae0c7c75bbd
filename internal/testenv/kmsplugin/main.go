// Command kmsplugin is a key plugin for tests: it speaks Sigstore's plugin
// protocol and asks Vault's transit engine, so that a build of writ without the
// clients of the clouds signs with the same keys as one that has them. Tests
// build it as sigstore-kms-hashivault. It is not for use.
package main

import (
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
)

func main() {
	if err := serve(); err != nil {
		_ = handler.WriteErrorResponse(os.Stdout, err) // nobody is left to tell
	}
}

func serve() error {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		return err
	}
	client, err := hashivault.LoadSignerVerifier("hashivault://"+args.InitOptions.KeyResourceID, args.InitOptions.HashFunc)
	if err != nil {
		return fmt.Errorf("reach Vault: %w", err)
	}
	_, err = handler.Dispatch(os.Stdout, os.Stdin, args, client)
	return err
}
