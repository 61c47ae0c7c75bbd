package signer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/testenv"
)

// vaultAnswers has what a real Vault answered to the questions below, by their names.
const vaultAnswers = "testdata/vault-answers.json"

// vaultAnswer is an answer without what is new each time.
type vaultAnswer struct {
	Status int
	Answer any
}

func recordedVaultAnswers(t *testing.T) map[string]vaultAnswer {
	t.Helper()
	data, err := os.ReadFile(vaultAnswers)
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]vaultAnswer
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	return recorded
}

// recordedVault is the body of a recorded answer.
func recordedVault(t *testing.T, name string) []byte {
	t.Helper()
	recorded, ok := recordedVaultAnswers(t)[name]
	if !ok {
		t.Fatalf("no answer to %q is recorded", name)
	}
	return must(json.Marshal(recorded.Answer))
}

const (
	digest32 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	digest48 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	// as Sigstore's client asks
	askRest = `","key_version":"0","prehashed":true,"signature_algorithm":"pkcs1v15"}`
	ask32   = `{"input":"` + digest32 + askRest
	ask48   = `{"input":"` + digest48 + askRest
)

// vaultQuestions are what writ asks, and what it should not. Keys are named after
// what they are.
var vaultQuestions = []struct{ name, token, method, path, body string }{
	{"an rsa-2048 key", "", "GET", "keys/rsa-2048", ""},
	{"an ecdsa-p256 key", "", "GET", "keys/ecdsa-p256", ""},
	{"an ecdsa-p384 key", "", "GET", "keys/ecdsa-p384", ""},
	{"an ecdsa-p521 key", "", "GET", "keys/ecdsa-p521", ""},
	{"an ed25519 key", "", "GET", "keys/ed25519", ""},
	{"no key", "", "GET", "keys/nothing", ""},
	{"a signature by rsa-2048", "", "PUT", "sign/rsa-2048/sha2-256", ask32},
	{"a signature by rsa-2048 over SHA-512", "", "PUT", "sign/rsa-2048/sha2-512", `{"input":"` + digest32[:43] + digest32[:42] + `A==` + askRest},
	{"a signature by ecdsa-p256", "", "POST", "sign/ecdsa-p256/sha2-256", ask32},
	{"a signature by ecdsa-p384", "", "PUT", "sign/ecdsa-p384/sha2-384", ask48},
	{"a signature by no key", "", "PUT", "sign/nothing/sha2-256", ask32},
	{"a digest of another length by rsa-2048", "", "PUT", "sign/rsa-2048/sha2-256", ask48},
	{"another digest", "", "PUT", "sign/ecdsa-p256/md5", ask32},
	{"a digest of another length by ecdsa-p256", "", "PUT", "sign/ecdsa-p256/sha2-256", ask48},
	{"a question that is no base64", "", "PUT", "sign/ecdsa-p256/sha2-256", `{"input":"A` + askRest},
	{"reading with a token of nobody", "hvs.another", "GET", "keys/ecdsa-p256", ""},
	{"signing with a token of nobody", "hvs.another", "PUT", "sign/ecdsa-p256/sha2-256", ask32},
	{"no key with a token of nobody", "hvs.another", "GET", "keys/nothing", ""},
	{"reading what is to be written", "", "GET", "sign/ecdsa-p256/sha2-256", ""},
	{"nothing that the engine has", "", "GET", "nothing/ecdsa-p256", ""},
}

func askTransit(t *testing.T, url, token, method, path, body string) vaultAnswer {
	t.Helper()
	status, data := testenv.AskVault(t, url, token, method, "transit/"+path, body)
	var answer any
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("%s %s: %d: %v: %.200q", method, path, status, err, data)
	}
	return vaultAnswer{status, withoutNews(answer)}
}

// withoutNews puts "..." in the place of what is new in each answer.
func withoutNews(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutNews(v[i])
		}
	case map[string]any:
		for name, value := range v {
			v[name] = withoutNews(value)
			switch name {
			case "request_id", "creation_time", "public_key", "signature":
				if text, ok := value.(string); ok && text != "" {
					v[name] = "..."
				}
			}
		}
	}
	return v
}

// The emulator stands in for Vault in most tests: it answers as a real one did.
func TestTheEmulatorAnswersAsARealVault(t *testing.T) {
	t.Parallel()
	e := testenv.NewTransitEmulator(t)
	e.AddKey("rsa-2048", newX509(t, "rsa2048").Key)
	e.AddKey("ecdsa-p256", newX509(t, "p256").Key)
	e.AddKey("ecdsa-p384", newX509(t, "p384").Key)
	e.AddKey("ecdsa-p521", newX509(t, "p521").Key)
	e.AddKey("ed25519", newEd25519(t))
	recorded := recordedVaultAnswers(t)
	for _, q := range vaultQuestions {
		t.Run(q.name, func(t *testing.T) {
			token := q.token
			if token == "" {
				token = e.Token
			}
			if diff := cmp.Diff(recorded[q.name], askTransit(t, e.URL, token, q.method, q.path, q.body)); diff != "" {
				t.Errorf("a real Vault has (-), the emulator (+):\n%s", diff)
			}
		})
	}
}

// The recorded answers are those of a real Vault. With WRIT_VAULT_RECORD they are
// written anew.
func TestARealVaultAnswersAsRecorded(t *testing.T) {
	v := newRealVault(t)
	said := map[string]vaultAnswer{}
	for _, kind := range []string{"rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"} {
		v.newKey(kind, kind)
	}
	for _, q := range vaultQuestions {
		token := q.token
		if token == "" {
			token = v.Token
		}
		said[q.name] = askTransit(t, v.URL, token, q.method, q.path, q.body)
	}
	v.use(mayRead, "")
	said["signing with a token that may only read"] = askTransit(t, v.URL, os.Getenv("VAULT_TOKEN"), "PUT", "sign/ecdsa-p256/sha2-256", ask32)
	v.must("POST", "transit/keys/ecdsa-p256/rotate", "")
	said["a signature by a rotated key"] = askTransit(t, v.URL, v.Token, "PUT", "sign/ecdsa-p256/sha2-256", ask32)
	v.must("PUT", "sys/seal", "")
	said["signing with a sealed server"] = askTransit(t, v.URL, v.Token, "PUT", "sign/ecdsa-p256/sha2-256", ask32)
	if os.Getenv("WRIT_VAULT_RECORD") != "" {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(said); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vaultAnswers, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(recordedVaultAnswers(t), said); diff != "" {
		t.Errorf("recorded is (-), this Vault says (+):\n%s", diff)
	}
}
