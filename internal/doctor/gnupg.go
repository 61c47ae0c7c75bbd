package doctor

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of what is read of GnuPG.
const (
	maxGPGConf = 1 << 20
	maxSecrets = 20
)

// gpgLine is a line of a configuration of GnuPG that has an option in it.
type gpgLine struct {
	number   int
	option   string
	argument string
}

// Options of gpg.conf and common.conf that add keys to those that verify, by
// whatever keyring gpg was told to use alone.
var ringOptions = []string{"keyring", "primary-keyring", "secret-keyring", "no-default-keyring", "no-keyring", "use-keyboxd", "options"}

// Options that let pass what is not signed, or fetch the key of whoever signed,
// or have gpg run another program.
var weakOptions = []string{
	"skip-verify", "auto-key-retrieve", "auto-key-import", "allow-weak-digest-algos", "allow-weak-key-signatures", "allow-multiple-messages", "ignore-time-conflict", "ignore-valid-from", "ignore-crc-error",
	"agent-program", "dirmngr-program", "keyboxd-program", "exec-path", "load-extension", "photo-viewer", "homedir",
}

// parseGPGConf reads a configuration of GnuPG. It takes for an option what no
// gpg takes for one (dashes before it, "=" behind it), too: better a line too
// many.
func parseGPGConf(data []byte) []gpgLine {
	var list []gpgLine
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimLeft(strings.TrimSpace(line), "-")
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		at := strings.IndexAny(line, " \t\v\f=")
		if at < 0 {
			at = len(line)
		}
		list = append(list, gpgLine{number, strings.ToLower(line[:at]), strings.TrimSpace(strings.TrimLeft(line[at:], "= \t"))})
	}
	return list
}

// code is that of the finding that a line is; "" if it is none.
func (l gpgLine) code() Code {
	switch {
	case slices.Contains(ringOptions, l.option):
		return "gpg-conf-keyring"
	case slices.Contains(weakOptions, l.option), strings.HasSuffix(l.option, "-options") && strings.Contains(l.argument, "auto-key-retrieve") && !strings.Contains(l.argument, "no-auto-key-retrieve"):
		return "gpg-conf-weakens"
	}
	return ""
}

// gpgHomes looks at the folders in which the gpg of a worker's account has its
// settings and keys.
func (x *examination) gpgHomes() {
	homes := []string{
		"/var/opt/microsoft/omsagent/run/.gnupg", oldState + "/.gnupg", oldRun + "/.gnupg", oldHome + "/.gnupg",
	}
	for _, name := range x.runbookAccounts() {
		if a := x.account(name); a.known && strings.HasPrefix(a.home, "/") {
			homes = append(homes, path.Join(a.home, ".gnupg"))
		}
	}
	seen := map[string]bool{}
	for _, home := range homes {
		if at, ok := x.find(home); ok && !seen[at.path] {
			seen[at.path] = true
			x.gpgSettings(at.path)
			x.secretKeys(at.path)
		}
	}
	if at, ok := x.find("/etc/gnupg"); ok {
		x.gpgSettings(at.path)
	}
}

// gpgSettings looks at the settings in one folder. gpg also reads such as
// gpg.conf-2.2.
func (x *examination) gpgSettings(dir string) {
	for _, name := range x.list(dir) {
		if !strings.HasPrefix(name, "gpg.conf") && !strings.HasPrefix(name, "common.conf") && name != "options" {
			continue
		}
		data, at, err := x.read(path.Join(dir, name), maxGPGConf)
		if err != nil {
			x.note(path.Join(dir, name), err)
			continue
		}
		for _, line := range parseGPGConf(data) {
			code := line.code()
			if code == "" {
				continue
			}
			f := Finding{Code: code, Where: at.path, Line: line.number, Detail: strings.TrimSpace(line.option + " " + line.argument)}
			x.mend(&f, at.path, commentOut(line.number, line.number))
			x.add(f)
		}
	}
}

// secretKeys looks for secret keys in one folder.
func (x *examination) secretKeys(dir string) {
	const note = "take the keys for stolen: revoke them, make new ones on a machine that runs no runbooks, and only then remove these"
	count := 0
	add := func(p string) {
		if count++; count > maxSecrets {
			return
		}
		f := Finding{Code: "secret-keys", Where: p, Note: note}
		x.mend(&f, p, "rm -- PATH")
		x.add(f)
	}
	private := path.Join(dir, "private-keys-v1.d")
	for _, name := range x.list(private) {
		if p := path.Join(private, name); strings.HasSuffix(name, ".key") && x.filled(p) {
			add(p)
		}
	}
	for _, name := range []string{"secring.gpg", "secring.gpg~"} {
		if p := path.Join(dir, name); x.filled(p) {
			add(p)
		}
	}
}

// filled says that there is a file with something in it.
func (x *examination) filled(p string) bool {
	info, err := x.root.Lstat(local(p))
	if err != nil {
		x.note(p, err)
		return false
	}
	return info.Mode()&fs.ModeSymlink != 0 || info.Mode().IsRegular() && info.Size() > 0
}
