// Command sigstore-kms-hsm lets writ, and cosign, sign with keys that a PKCS#11
// token keeps: a smart card, an HSM, SoftHSM2. It is a plugin of Sigstore: found by
// its name in PATH, it is started for each call and answers in JSON.
//
// It is an example to start from. It does not keep a session with the token open
// between calls, and it makes and deletes no keys.
package main

import (
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

func main() {
	if err := answer(); err != nil {
		// Whoever asks reads errors from the answer. The exit code counts for nothing.
		if err := handler.WriteErrorResponse(os.Stdout, err); err != nil {
			os.Exit(1)
		}
	}
}

// answer makes one call. What goes wrong inside the call Dispatch has written.
func answer() error {
	args, err := handler.GetPluginArgs(os.Args)
	switch {
	case err != nil:
		return fmt.Errorf("this program is a plugin, for writ sign --key hsm://TOKEN/ID: %w", err)
	case args.InitOptions == nil || args.MethodArgs == nil || args.InitOptions.ProtocolVersion != common.ProtocolVersion:
		return fmt.Errorf("not a question in version %s of the protocol for plugins", common.ProtocolVersion)
	}
	key, err := newTokenKey(args.InitOptions.KeyResourceID, args.InitOptions.HashFunc, os.Getenv)
	if err != nil {
		return err
	}
	_, _ = handler.Dispatch(os.Stdout, os.Stdin, args, key) // nobody is left to tell
	return nil
}
