package doctor

import (
	"bufio"
	"fmt"
	"path"
	"strings"
)

// usualPath is where programs are looked for if sudoers says nothing else.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxPackages is how much of a list of packages is read, in bytes.
const maxPackages = 256 << 20

// oldGPG looks at the gpg that an old worker asks.
func (x *examination) oldGPG() {
	if len(x.confs) == 0 {
		return
	}
	folders := usualPath
	if p := x.rules.securePath("nxautomation"); p != "" {
		folders = p
	}
	for dir := range strings.SplitSeq(folders, ":") {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		at, ok := x.find(path.Join(dir, "gpg"))
		if !ok || !at.info.Mode().IsRegular() {
			continue
		}
		if path.Base(at.path) == "writ" {
			x.writable("program-writable", path.Join(dir, "gpg"), x.flaws(at, onlyRoot))
			return // writ gpg-shim answers
		}
		x.add(Finding{
			Code: "gpg-runs-unsigned", Where: at.path, Detail: x.gpgDetail(),
			Mend: x.shim(), Note: "then name a keyring of root's in worker.conf, and test it: docs/cli/gpg-shim.md",
		})
		return
	}
}

// shim are the commands that put writ in the place of the worker's gpg, and of
// nobody else's.
func (x *examination) shim() []string {
	program := "/usr/bin/writ"
	if at, ok := x.find("/usr/local/bin/writ"); ok && at.info.Mode().IsRegular() {
		program = "/usr/local/bin/writ"
	}
	folder, ok1 := quote(x.real("/opt/writ/gpg"))
	link, ok2 := quote(x.real("/opt/writ/gpg/gpg"))
	rule, ok3 := quote(x.real("/etc/sudoers.d/writ"))
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	return []string{
		"install -d -m 755 -- " + folder,
		"ln -s " + program + " " + link,
		fmt.Sprintf(`echo 'Defaults>nxautomation secure_path="/opt/writ/gpg:%s"' >> %s && chmod 440 %s`, usualPath, rule, rule),
	}
}

// gpgDetail says what the installed gpg runs, as measured.
func (x *examination) gpgDetail() string {
	version := x.gpgVersion()
	switch {
	case version == "":
		return "its version is not known; every measured one (2.2 and 2.4) ends with 0 for literal and compressed messages"
	case strings.HasPrefix(version, "2.2.") || strings.HasPrefix(version, "2.1.") || strings.HasPrefix(version, "2.0.") || strings.HasPrefix(version, "1."):
		return "version " + version + ": it ends with 0 for literal and compressed messages, and for a clear-signed text with an empty signature block"
	}
	return "version " + version + ": it ends with 0 for literal and compressed messages"
}

// gpgVersion is that of the package that gpg is of, as dpkg or apk noted it; ""
// if neither did.
func (x *examination) gpgVersion() string {
	for _, list := range []struct{ path, name, version string }{
		{"/var/lib/dpkg/status", "Package: ", "Version: "},
		{"/lib/apk/db/installed", "P:", "V:"},
	} {
		if v := x.packageVersion(list.path, list.name, list.version); v != "" {
			return v
		}
	}
	return ""
}

func (x *examination) packageVersion(list, name, version string) string {
	f, at, err := x.open(list)
	if err != nil {
		x.note(list, err)
		return ""
	}
	defer func() { _ = f.Close() }() // opened for reading only
	if at.info.Size() > maxPackages {
		x.unread(list, errTooLarge.Error())
		return ""
	}
	found := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	is, removed := "", false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			is, removed = "", false
		case strings.HasPrefix(line, name):
			is = strings.TrimPrefix(line, name)
		case strings.HasPrefix(line, "Status: "):
			removed = !strings.HasSuffix(line, " installed")
		case strings.HasPrefix(line, version) && is != "" && !removed && found[is] == "":
			found[is] = upstream(strings.TrimPrefix(line, version))
		}
	}
	if err := lines.Err(); err != nil {
		x.note(list, err)
	}
	for _, p := range []string{"gpg", "gnupg", "gnupg2"} {
		if found[p] != "" {
			return found[p]
		}
	}
	return ""
}

// upstream is the version that the authors of a program gave it, without what a
// distribution put around it.
func upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	version, _, _ = strings.Cut(version, "-")
	return strings.TrimSpace(version)
}
