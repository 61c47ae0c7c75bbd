package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/verifier"
)

// trustOptions are the flags that say whom to trust.
type trustOptions struct {
	dir      string
	cas      []string
	keyrings []string
	tsas     []string
}

func (o *trustOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.dir, "trust", "", "trust store, a `folder`")
	f.Var((*repeated)(&o.cas), "ca", "trust the code-signing authorities in this PEM or DER `file` (repeatable)")
	f.Var((*repeated)(&o.tsas), "tsa", "trust the timestamp authorities in this PEM or DER `file` (repeatable)")
	f.Var((*repeated)(&o.keyrings), "keyring", "trust the OpenPGP certificates in this `file`, armored, binary, or .kbx, or in all files of a folder (repeatable)")
}

func (o *trustOptions) given() bool { return o.dir != "" || len(o.cas) > 0 || len(o.keyrings) > 0 }

// load reads what the flags name into one store. Guarded refuses what others
// may write.
func (o *trustOptions) load(guarded bool) (*verifier.TrustStore, error) {
	if !o.given() {
		return nil, &exitError{
			code: exitMalformed, err: fmt.Errorf("no trust given: %w", verifier.ErrNoTrust),
			hints: []string{"name whom you trust: --trust DIR, --ca FILE or --keyring FILE"},
		}
	}
	options := verifier.TrustOptions{Guarded: guarded}
	var files []verifier.TrustFile
	if o.dir != "" {
		store, err := verifier.OpenTrust(o.dir, options)
		if err != nil {
			return nil, noAnswer(err)
		}
		files = store.All()
	}
	for _, named := range []struct {
		flag  string
		room  verifier.Room
		paths []string
	}{{"--ca", verifier.RoomX509CA, o.cas}, {"--keyring", verifier.RoomOpenPGP, o.keyrings}, {"--tsa", verifier.RoomTSA, o.tsas}} {
		for _, path := range named.paths {
			if path == "" {
				return nil, usagef("%s needs the name of a file", named.flag)
			}
			read, err := readAnchors(path, named.room, options)
			if err != nil {
				return nil, noAnswer(err)
			}
			files = append(files, read...)
		}
	}
	store, err := verifier.NewTrust(files...)
	if err != nil {
		return nil, noAnswer(err)
	}
	return store, nil
}

// readAnchors reads a file that a flag names or, of OpenPGP certificates, all
// files of a folder.
func readAnchors(path string, room verifier.Room, o verifier.TrustOptions) ([]verifier.TrustFile, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() && room == verifier.RoomOpenPGP {
		return verifier.ReadTrustFolder(path, room, o)
	}
	f, err := verifier.ReadTrustFile(path, room, o)
	return []verifier.TrustFile{f}, err
}

// maxLeftOut is how many notes about trust are worth reading.
const maxLeftOut = 20

// tellLeftOut says what of the trust could not be used.
func (a *app) tellLeftOut(v *verifier.Verifier) {
	notes := v.Notes()
	for _, note := range notes[:min(len(notes), maxLeftOut)] {
		a.note("%s", note)
	}
	if more := len(notes) - maxLeftOut; more > 0 {
		a.note("%d more are left out of the trust store", more)
	}
}
