package newkeys

import (
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest attribute of a name in characters; X.520 allows 64 for
// most.
const maxName = 64

// ParseSubject reads a name as it stands in a certificate: "CN=Contoso Code
// Signing,O=Contoso,C=US", or only the common name. A comma inside a value, and a
// backslash, has a backslash before it. It returns the common name, and the rest
// apart.
func ParseSubject(text string) (common string, rest pkix.Name, err error) {
	if !utf8.ValidString(text) {
		return "", rest, fmt.Errorf("subject %q: not UTF-8", text)
	}
	if !strings.Contains(text, "=") {
		text = "CN=" + strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(text)
	}
	seen := map[string]bool{}
	for _, part := range splitName(text) {
		key, value, found := strings.Cut(part, "=")
		key, value = strings.ToUpper(strings.TrimSpace(key)), strings.TrimSpace(value)
		switch {
		case !found:
			return "", rest, fmt.Errorf("subject %q: %q is no attribute: want CN=NAME,O=ORGANIZATION and so on", text, part)
		case seen[key]:
			return "", rest, fmt.Errorf("subject %q: %s stands there twice", text, key)
		case value == "" || utf8.RuneCountInString(value) > maxName ||
			strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			return "", rest, fmt.Errorf("subject %q: the value of %s must have 1 to %d characters that can be seen", text, key, maxName)
		}
		seen[key] = true
		switch key {
		case "CN":
			common = value
		case "O":
			rest.Organization = []string{value}
		case "OU":
			rest.OrganizationalUnit = []string{value}
		case "L":
			rest.Locality = []string{value}
		case "ST", "S": // as Windows writes it
			rest.Province = []string{value}
		case "C":
			if len(value) != 2 {
				return "", rest, fmt.Errorf("subject %q: C has two letters, such as US", text)
			}
			rest.Country = []string{strings.ToUpper(value)}
		default:
			return "", rest, fmt.Errorf("subject %q: unknown attribute %q: want one of CN, O, OU, L, ST, C", text, key)
		}
	}
	if common == "" {
		return "", rest, fmt.Errorf("subject %q: it needs a common name: CN=NAME", text)
	}
	return common, rest, nil
}

// splitName splits at commas that have no backslash before them, and takes the
// backslashes out.
func splitName(text string) []string {
	parts := []string{""}
	escaped := false
	for _, r := range text {
		last := &parts[len(parts)-1]
		switch {
		case escaped:
			*last += string(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			parts = append(parts, "")
		default:
			*last += string(r)
		}
	}
	return parts
}
