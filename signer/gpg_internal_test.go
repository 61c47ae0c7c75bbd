package signer

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestGPGListingNamesTheKeysThatAreThere(t *testing.T) {
	t.Parallel()
	listing := strings.Join([]string{
		"sec:u:255:22:AAAA:1:2::u:::cSC:::+::ed25519:::0:", "fpr:::::::::PRIMARY:", "grp:::::::::GRIP:", "uid:u::::1::HASH::fpr:sec:ssb::::::::::0:",
		"ssb:u:255:22:BBBB:1:2:::::s:::#::ed25519::", "fpr:::::::::OFFLINE:",
		"ssb:u:255:22:CCCC:1:2:::::s:::D2760001240103040006112233440000::ed25519::", "fpr:::::::::CARD:",
		"ssb:u:255:22:DDDD:1:2:::::s:::", "fpr:::::::::UNKNOWN:",
		"ssb:u:255:22:EEEE:1:2:::::s:::+::ed25519::\r", "fpr:::::::::LAST:\r", "fpr:::::::::STRAY:", "ssb", "fpr", "",
	}, "\n")
	if got, want := parseGPGListing([]byte(listing)), []string{"PRIMARY", "CARD", "LAST"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGPGWordsAreShortAndSayWhatToDo(t *testing.T) {
	t.Parallel()
	failed := errors.New("exit status 2")
	for said, want := range map[string]string{
		"[GNUPG:] FAILURE sign 83886179\n":          "was cancelled",
		"[GNUPG:] FAILURE sign 67108881\n":          "gpg --list-secret-keys",
		"[GNUPG:] FAILURE sign 100663408\n":         "card is not inserted",
		"[GNUPG:] FAILURE sign -1\n":                "gpg failed",
		"[GNUPG:] FAILURE sign 99999999999999999\n": "gpg failed",
		"[GNUPG:] FAILURE\n[GNUPG:] \n":             "gpg failed",
		"gpg: a\ngpg: \x1b[2Jb\n":                   `gpg said "a; \x1b[2Jb"`,
		strings.Repeat("gpg: x\n", 10_000):          `...`,
	} {
		if got := parseGPGWords([]byte(said)).reason(failed); !strings.Contains(got, want) || len(got) > 2*maxGPGQuote || strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%.60q: %q, want %q", said, got, want)
		}
	}
}

// FuzzGPGAnswers: nothing that gpg says breaks its reader, or comes out raw.
func FuzzGPGAnswers(f *testing.F) {
	f.Add([]byte("sec:u:255:22:AAAA:1:2::u:::cSC:::+::ed25519:::0:\nfpr:::::::::00:\n"))
	f.Add([]byte("gpg: signing failed\n[GNUPG:] FAILURE sign 83886179\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseGPGListing(data)
		if said := parseGPGWords(data).reason(errors.New("x")); strings.ContainsAny(said, "\x00\x1b\n\r\x7f\u202e") {
			t.Errorf("%q", said)
		}
	})
}
