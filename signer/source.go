package signer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// The kinds of key sources beside the paths of files.
const (
	openPGPScheme = "openpgp:"
	envScheme     = "env://"
)

// variableName is what env:// takes.
var variableName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// SourceFile returns the path of the file that a key source names, and false if
// it names something else.
func SourceFile(source string) (path string, ok bool) {
	if KeptByGPG(source) || sourceScheme.MatchString(source) {
		return "", false
	}
	return strings.TrimPrefix(source, openPGPScheme), true
}

// CheckSource refuses a key in the place of where one is, as a shell makes it of
// "$(cat key.pem)": errors quote sources, and never keys. It fails with *KeyError.
func CheckSource(source string) error {
	if !isKeyText(source) {
		return nil
	}
	return &KeyError{"(not shown)", "this is a key itself, and not where one is: others on this machine can read a command line. Put it into a file, or into an environment variable that env://NAME names"}
}

// isKeyText knows PEM, armor, and both, DER or PKCS#12 in base64.
func isKeyText(source string) bool {
	text := strings.TrimPrefix(strings.TrimPrefix(source, envScheme), openPGPScheme)
	if strings.Contains(text, "-----BEGIN ") || strings.HasPrefix(text, "LS0tLS1CRUdJTi") {
		return true
	}
	const least = 64 // bytes: less than any of these keys has
	binary, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	return err == nil && len(binary) > least && binary[0] == 0x30 // a sequence
}

// readKeySource reads what a key file holds, from the file or from a variable.
func readKeySource(source string) (data []byte, notes []string, err error) {
	if name, ok := strings.CutPrefix(source, envScheme); ok {
		data, err = readKeyVariable(source, name)
		return data, nil, err
	}
	path, _ := SourceFile(source)
	return readKeyFile(path, true)
}

// readKeyVariable takes the value of an environment variable: PEM or armor as
// it is, or in base64 what is binary, as PKCS#12 has to be kept in a CI system.
func readKeyVariable(source, name string) ([]byte, error) {
	if !variableName.MatchString(name) {
		return nil, &KeyError{source, "not the name of an environment variable: want env://NAME, of letters, digits and underscores"}
	}
	value, ok := os.LookupEnv(name)
	switch {
	case !ok:
		return nil, &KeyError{source, "the environment variable is not set: a CI system may withhold its secrets from this kind of run"}
	case value == "":
		return nil, &KeyError{source, "the environment variable is empty: a CI system may withhold its secrets from this kind of run"}
	case len(value) > MaxKeyFile:
		return nil, &KeyError{source, fmt.Sprintf("larger than %d bytes: not a key", MaxKeyFile)}
	}
	data := []byte(value)
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return data, nil
	}
	if binary, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(value), "")); err == nil && len(binary) > 0 {
		return binary, nil
	}
	return data, nil
}
