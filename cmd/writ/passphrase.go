package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/signer"
)

// passphraseOptions say where a passphrase is, if nobody is to be asked for it.
type passphraseOptions struct{ file, env string }

// addTo adds the flags; what is what the passphrase is for.
func (o *passphraseOptions) addTo(cmd *cobra.Command, what string) {
	f := cmd.Flags()
	f.StringVar(&o.file, "passphrase-file", "", "read the passphrase of "+what+" from the first line of this `file`")
	f.StringVar(&o.env, "passphrase-env", "", "read the passphrase of "+what+" from the environment variable of this `name`")
}

func (o *passphraseOptions) validate() error {
	if o.file != "" && o.env != "" {
		return usagef("--passphrase-file and --passphrase-env exclude each other")
	}
	return nil
}

// given is where the flags say that the passphrase is, nil if they do not.
func (o *passphraseOptions) given() signer.PassphraseFunc {
	switch {
	case o.file != "":
		return signer.PassphraseFromFile(o.file)
	case o.env != "":
		return signer.PassphraseFromEnv(o.env)
	}
	return nil
}

// orAsk asks on the terminal where the flags say nothing.
func (o *passphraseOptions) orAsk(a *app) signer.PassphraseFunc {
	if given := o.given(); given != nil {
		return given
	}
	return signer.PassphraseFromTerminal(os.Stdin, a.stderr)
}
