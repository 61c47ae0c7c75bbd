package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/runwrit/writ/internal/hybrid"
	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/internal/pgpcert"
)

// oldConf is a configuration of an old worker.
type oldConf struct {
	path string
	conf *hybrid.Conf // nil if Python does not read it
}

// Places of old workers.
const (
	oldHome      = "/home/nxautomation"
	oldRun       = "/home/nxautomation/run"
	oldState     = "/var/opt/microsoft/omsagent/run/automationworker"
	agentFolder  = "/var/lib/waagent"
	extension    = "Microsoft.Azure.Automation.HybridWorker.HybridWorkerForLinux"
	maxLeftovers = 20
)

// onlyRoot is who may own what decides about an old worker: its own accounts are
// those that runbooks run as.
var onlyRoot = owners{}

func (x *examination) oldConfs() {
	for _, p := range hybrid.Places {
		data, at, err := x.read(p, hybrid.MaxSize)
		if err != nil {
			x.note(p, err)
			continue
		}
		c := &oldConf{path: at.path}
		x.confs = append(x.confs, c)
		here := Finding{Code: "old-worker", Where: c.path, Note: "put it where your worker.yaml belongs, and see docs/coming-from-azure.md"}
		x.mend(&here, c.path, "writ worker import --conf PATH")
		x.add(here)
		x.writable("conf-writable", c.path, x.flaws(at, onlyRoot))
		if c.conf, err = hybrid.Parse(data); err != nil {
			f := Finding{Code: "conf-unreadable", Where: c.path, Detail: err.Error(), Note: "mend the line by hand"}
			var syntax *hybrid.SyntaxError
			if errors.As(err, &syntax) {
				f.Line, f.Detail = syntax.Line, syntax.Msg
			}
			x.add(f)
			continue
		}
		x.oldConf(c)
	}
}

func (x *examination) oldConf(c *oldConf) {
	for _, p := range c.conf.Problems {
		var v *hybrid.ValueError
		if !errors.As(p, &v) || v.Option != "enforce_runbook_signature_validation" {
			x.add(Finding{Code: "conf-unreadable", Where: c.path, Detail: p.Error(), Note: "mend it by hand"})
		}
	}
	f := Finding{Where: c.path, Line: c.conf.EnforcementLine}
	switch c.conf.Enforcement {
	case hybrid.EnforcementOff:
		f.Code, f.Detail = "enforcement-off", "enforce_runbook_signature_validation is false to Python"
	case hybrid.EnforcementUnknown:
		f.Code, f.Detail = "enforcement-unknown", "enforce_runbook_signature_validation is no boolean to Python"
	case hybrid.EnforcementOn:
	}
	if f.Code != "" {
		if f.Line > 0 {
			x.mend(&f, c.path, setTo("enforce_runbook_signature_validation", "true"))
		} else {
			f.Note = "the section [worker-optional] is missing: add it, and let the worker be registered anew"
		}
		x.add(f)
	}
	if c.conf.Bypass {
		f := Finding{Code: "certificates-bypassed", Where: c.path, Detail: "bypass_certificate_verification is true to Python"}
		x.mend(&f, c.path, setTo("bypass_certificate_verification", "false"))
		x.add(f)
	}
	x.keyrings(c)
}

// setTo is a command that sets an option of a worker.conf, in whatever case it is
// written.
func setTo(option, value string) string {
	return `sed -i -E 's/^([[:space:]]*` + option + `[[:space:]]*[=:]).*/\1 ` + value + `/I' -- PATH`
}

const publicAgain = "export the public certificates of your signers with gpg --export, on a machine that runs no runbooks, to a file of root's such as /etc/writ/keyring.gpg, and name that as gpg_public_keyring_path"

func (x *examination) keyrings(c *oldConf) {
	if len(c.conf.Keyrings) == 0 && c.conf.Enforcement == hybrid.EnforcementOn {
		x.add(Finding{Code: "keyring-not-configured", Where: c.path, Detail: "gpg_public_keyring_path is empty", Note: publicAgain})
	}
	for n, ring := range c.conf.Keyrings {
		if n == hybrid.MaxKeyrings {
			x.unread(c.path, "names more keyrings than are looked at")
			return
		}
		if !strings.HasPrefix(ring, "/") {
			x.add(Finding{Code: "keyring-missing", Where: c.path, Detail: fmt.Sprintf("%q is no absolute path: gpg looks for it in its home folder, where runbooks write", ring), Note: publicAgain})
			continue
		}
		x.keyring(ring)
	}
}

func (x *examination) keyring(ring string) {
	data, at, err := x.read(ring, hybrid.MaxKeyringSize)
	switch {
	case missing(err):
		x.add(Finding{Code: "keyring-missing", Where: ring, Note: publicAgain})
		return
	case err != nil:
		x.note(ring, err)
		return
	}
	x.writable("keyring-writable", ring, x.flaws(at, onlyRoot))
	err = pgpcert.NewLoader().Add(ring, data)
	switch {
	case errors.Is(err, pgpcert.ErrSecretKey):
		x.add(Finding{Code: "keyring-secret-key", Where: at.path, Detail: err.Error(), Note: "take the key for stolen: revoke it, make a new one elsewhere, and " + publicAgain})
	case err != nil:
		x.add(Finding{Code: "keyring-unusable", Where: at.path, Detail: err.Error(), Note: publicAgain})
	}
}

// unverified are names under which gpg leaves the text that it refused.
var unverified = lazyregexp.New(`\.(py|sh|ps1)\.d$`)

// oldPlaces looks at what an old worker leaves lying about.
func (x *examination) oldPlaces() {
	x.oldHome()
	folders := []string{oldRun, oldState}
	for _, c := range x.confs {
		if c.conf != nil && strings.HasPrefix(c.conf.WorkingDirectory, "/") {
			folders = append(folders, c.conf.WorkingDirectory)
		}
	}
	seen := map[string]bool{}
	for _, dir := range folders {
		at, ok := x.find(dir)
		if !ok || seen[at.path] {
			continue
		}
		x.walk(at.path, func(p string, info fs.FileInfo) {
			if !info.Mode().IsRegular() || !unverified.MatchString(p) || seen[p] || len(seen) > maxLeftovers {
				return
			}
			seen[p] = true
			f := Finding{Code: "leftover-unverified", Where: p}
			x.mend(&f, p, "rm -- PATH")
			x.add(f)
		})
		seen[at.path] = true
	}
	extended := false
	for _, name := range x.list(agentFolder) {
		if strings.HasPrefix(name, extension) {
			extended = true
			x.add(Finding{Code: "extension-worker", Where: path.Join(agentFolder, name), Note: "remove the extension in Azure once writ runs what it ran: docs/coming-from-azure.md"})
		}
	}
	if len(x.confs) > 0 || extended {
		return
	}
	for _, name := range oldAccounts {
		if a := x.account(name); a.known {
			f := Finding{Code: "account-left", Where: "/etc/passwd", Detail: name}
			if x.dir == "/" {
				f.Mend = []string{"userdel -- " + name}
			} else {
				f.Note = "remove the account: userdel " + name
			}
			x.add(f)
		}
	}
}

// oldHome looks at the home of the worker, which its set-up opens to a group
// that runbooks are in.
func (x *examination) oldHome() {
	home := oldHome
	if a := x.account("nxautomation"); a.known && strings.HasPrefix(a.home, "/") {
		home = a.home
	}
	at, ok := x.find(home)
	if !ok || !at.info.IsDir() || at.info.Mode().Perm()&0o022 == 0 {
		return
	}
	_, gid, _ := x.owner(at.info)
	f := Finding{
		Code: "home-writable", Where: at.path, Detail: fmt.Sprintf("mode %04o, of %s", at.info.Mode().Perm(), x.groupName(gid)),
		Note: "the old worker writes here, too, and may stop working: it cannot be both open to itself and closed to its runbooks",
	}
	x.mend(&f, at.path, "chmod -R go-w -- PATH")
	x.add(f)
}
