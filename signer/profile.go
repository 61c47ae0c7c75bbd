package signer

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/runwrit/writ/runbook"
)

// Profile names a service that runbooks go through on their way to the worker,
// and that changes some of them, so that their signatures do not verify there.
// The zero value is none.
type Profile string

// AzureAutomation replaces characters that are not ASCII when a worker fetches a
// runbook.
const AzureAutomation Profile = "azure-automation"

// Profiles are the profiles there are.
func Profiles() []Profile { return []Profile{AzureAutomation} }

// check fails with *InputError if the service would change the runbook.
func (p Profile) check(rb *runbook.Runbook) (err error) {
	switch p {
	case "":
		return nil
	case AzureAutomation:
		rb.View(func(data []byte) {
			if at := bytes.IndexFunc(data, func(r rune) bool { return r >= utf8.RuneSelf }); at >= 0 {
				err = &InputError{
					Name: rb.Name(), Line: 1 + bytes.Count(data[:at], []byte("\n")),
					Msg: "a character that is not ASCII, or a byte-order mark: Azure Automation replaces it, and the signature no longer fits",
					Fix: "write it in ASCII; in PowerShell as [char]0xFC, in bash as $'\\u00fc', in Python as '\\u00fc'",
				}
			}
		})
		return err
	default:
		return fmt.Errorf("sign: unknown profile %q", string(p))
	}
}
