package verifier

import (
	"cmp"
	"maps"
	"slices"

	"github.com/runwrit/writ/internal/trustlist"
)

// RevocationMode says what a store demands about the revocation of certificates.
type RevocationMode string

// The modes. The zero value leaves the choice to the format: prefer where the
// trust store has any list or response, else off.
const (
	RevocationRequire RevocationMode = "require" // a fresh answer for each certificate, or the signer is not trusted
	RevocationPrefer  RevocationMode = "prefer"  // what is known counts; what is not known is a finding
	RevocationOff     RevocationMode = "off"     // nothing is asked
)

// OpenPGPRules say how a store judges the OpenPGP signers that it trusts. The
// zero value holds where nothing is set; docs/formats/trust-store.md tells the
// danger of each.
type OpenPGPRules struct {
	// AtSigning judges keys at the time that the signature claims.
	AtSigning bool
	// RefuseUnknown trusts nobody on a runbook that somebody signed whom no store
	// trusts.
	RefuseUnknown bool
	// AcceptSHA1 lets self-signatures, bindings and back-signatures with SHA-1
	// count.
	AcceptSHA1 bool
	// AcceptTrailingBlanks accepts clear-signed files with blanks at line ends.
	AcceptTrailingBlanks bool
}

// SigstoreRules say what a store demands of the Sigstore bundles of the signers
// that it trusts. The zero value holds where nothing is set.
type SigstoreRules struct {
	// Log says whose signatures must stand in a transparency log.
	Log SigstoreLog
	// NoSCT does without the proof that the certificate was logged.
	NoSCT bool
}

// SigstoreLog says whose signatures must stand in a transparency log.
type SigstoreLog string

// The words for it. The zero value is LogKeyless.
const (
	LogKeyless SigstoreLog = "keyless" // those by certificates
	LogAll     SigstoreLog = "all"     // those by keys too
	LogNone    SigstoreLog = "none"    // nobody's: a certificate needs a timestamp then
)

// The names of the settings.
const (
	settingRevocation     = "revocation"
	settingOpenPGPTime    = "openpgp-time"
	settingOpenPGPUnknown = "openpgp-unknown-signers"
	settingOpenPGPSHA1    = "openpgp-sha1-self-signatures"
	settingOpenPGPBlanks  = "openpgp-trailing-blanks"
	settingSigstoreLog    = "sigstore-transparency-log"
	settingSigstoreSCT    = "sigstore-certificate-log"
)

// Words of settings.
const (
	wordAccept    = "accept"
	wordRefuse    = "refuse"
	wordReport    = "report"
	wordNow       = "now"
	wordAtSigning = "at-signing"
	wordRequire   = "require"
	wordOff       = "off"
)

// settingWords are the words that each setting may have.
var settingWords = map[string][]string{
	settingRevocation:     {string(RevocationRequire), string(RevocationPrefer), string(RevocationOff)},
	settingOpenPGPTime:    {wordNow, wordAtSigning},
	settingOpenPGPUnknown: {wordReport, wordRefuse},
	settingOpenPGPSHA1:    {wordRefuse, wordAccept},
	settingOpenPGPBlanks:  {wordRefuse, wordAccept},
	settingSigstoreLog:    {string(LogKeyless), string(LogAll), string(LogNone)},
	settingSigstoreSCT:    {wordRequire, wordOff},
}

// Revocation returns the mode that the store of that name has set.
func (t *TrustStore) Revocation(store string) RevocationMode {
	return RevocationMode(t.settings[store][settingRevocation])
}

// OpenPGP returns the rules that the store of that name has set.
func (t *TrustStore) OpenPGP(store string) OpenPGPRules {
	set := t.settings[store]
	return OpenPGPRules{
		AtSigning:            set[settingOpenPGPTime] == wordAtSigning,
		RefuseUnknown:        set[settingOpenPGPUnknown] == wordRefuse,
		AcceptSHA1:           set[settingOpenPGPSHA1] == wordAccept,
		AcceptTrailingBlanks: set[settingOpenPGPBlanks] == wordAccept,
	}
}

// Sigstore returns the rules that the store of that name has set.
func (t *TrustStore) Sigstore(store string) SigstoreRules {
	set := t.settings[store]
	return SigstoreRules{
		Log:   cmp.Or(SigstoreLog(set[settingSigstoreLog]), LogKeyless),
		NoSCT: set[settingSigstoreSCT] == wordOff,
	}
}

// readSettings reads the files "settings": lines "name:word".
func (t *TrustStore) readSettings() error {
	t.settings = map[string]map[string]string{}
	for _, f := range t.Files(RoomSettings) {
		entries, err := trustlist.Parse(f.Data)
		if err != nil {
			return &TrustError{f.Name, err}
		}
		if t.settings[f.Store] == nil {
			t.settings[f.Store] = map[string]string{}
		}
		for _, e := range entries {
			words, known := settingWords[e.Kind]
			switch _, twice := t.settings[f.Store][e.Kind]; {
			case !known:
				err = e.Errorf("unknown setting %q: want one of %q", e.Kind, slices.Sorted(maps.Keys(settingWords)))
			case twice:
				err = e.Errorf("%s is set twice", e.Kind)
			case !slices.Contains(words, e.Value):
				err = e.Errorf("%s is %q: want one of %q", e.Kind, e.Value, words)
			default:
				err = e.Only()
			}
			if err != nil {
				return &TrustError{f.Name, err}
			}
			t.settings[f.Store][e.Kind] = e.Value
		}
	}
	return nil
}
