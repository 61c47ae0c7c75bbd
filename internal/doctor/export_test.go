package doctor

import (
	"maps"
	"slices"
)

// RingLines are the lines of a gpg.conf that add keys, and WeakLines those that
// let pass more.
func RingLines(data []byte) (ring, weak int) {
	for _, l := range parseGPGConf(data) {
		switch l.code() {
		case "gpg-conf-keyring":
			ring++
		case "gpg-conf-weakens":
			weak++
		}
	}
	return ring, weak
}

// Unasked says for which of the accounts some line of sudoers asks for no
// password. All of them are in the group "wheel" and have the number 1000.
func Unasked(data []byte, accounts ...string) ([]string, error) {
	s := &sudoers{aliases: map[string][]string{}, paths: map[string]string{}}
	if err := s.take("/etc/sudoers", data, func(bool, string) {}); err != nil {
		return nil, err
	}
	var list []string
	for _, name := range accounts {
		for _, r := range s.rules {
			if in, _ := s.names(r.users, account{name: name, known: true, uid: 1000, gid: 1000, groups: []string{"wheel"}}, 0); in {
				list = append(list, name)
				break
			}
		}
	}
	return list, nil
}

// SecurePath is what sudoers says of where programs are looked for.
func SecurePath(data []byte, as string) string {
	s := &sudoers{aliases: map[string][]string{}, paths: map[string]string{}}
	if err := s.take("/etc/sudoers", data, func(bool, string) {}); err != nil {
		return ""
	}
	return s.securePath(as)
}

// Quote makes one word of a shell.
var Quote = quote

// SeverityOf is how bad the findings of a code are.
func SeverityOf(c Code) Severity { return catalog[c].severity }

// Codes returns all codes, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(catalog)) }
