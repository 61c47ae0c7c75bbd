// Package guid knows the one form in which the identifiers of Entra tenants,
// users and groups are compared: 36 characters, in lower case. Who reads a token
// and who reads a policy must agree on it.
package guid

import "strings"

// Valid says whether s has that form.
func Valid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return true
}
