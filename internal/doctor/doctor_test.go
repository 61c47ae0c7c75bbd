//go:build unix

package doctor_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/abilities"
	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/internal/testenv"
)

func TestAHostInOrderHasNoFindings(t *testing.T) {
	t.Parallel()
	if r := examine(t, good().build(t), doctor.Options{}); len(r.Findings)+len(r.Unread) > 0 {
		t.Error(said(r))
	}
	r := examine(t, old().build(t), doctor.Options{})
	if len(r.Findings) != 1 || r.Findings[0].Code != "old-worker" || len(r.Unread) > 0 {
		t.Error(said(r))
	}
}

func conf(replace ...string) *file { return text(strings.NewReplacer(replace...).Replace(oldConf)) }

const diyPath = "/var/opt/microsoft/omsagent/state/automationworker/diy/worker.conf"

const autoPath = "/var/opt/microsoft/omsagent/state/automationworker/worker.conf"

// broken are hosts with one thing wrong each. What no command mends, hand does.
var broken = []struct {
	name   string
	base   func() files
	wrong  files
	code   doctor.Code
	where  string
	line   int
	detail string
	// hand mends what the finding has no command for.
	hand files
}{
	{"an old worker", old, nil, "old-worker", oldPath, 0, "", files{oldPath: nil}},
	{"an older one", old, files{diyPath: conf()}, "old-worker", diyPath, 0, "", files{diyPath: nil}},
	{"one that registered itself", old, files{autoPath: conf()}, "old-worker", autoPath, 0, "", files{autoPath: nil}},

	{"enforcement off", old, files{oldPath: conf("= True", "= False")}, "enforcement-off", oldPath, 10, "is false to Python", nil},
	{"enforcement off in capitals and by a colon", old, files{oldPath: conf("enforce_runbook_signature_validation = True", "  Enforce_Runbook_Signature_Validation: OFF")}, "enforcement-off", oldPath, 10, "", nil},
	{"enforcement off for all sections", old, files{oldPath: text("[DEFAULT]\nenforce_runbook_signature_validation=0\n" + strings.Replace(oldConf, "enforce_runbook_signature_validation = True\n", "", 1))}, "enforcement-off", oldPath, 2, "", nil},
	{"enforcement off by a reference", old, files{oldPath: conf("= True", "= %(x)s\nx = no")}, "enforcement-off", oldPath, 10, "", nil},
	{"enforcement off in the worker that registered itself", old, files{autoPath: conf("= True", "= no")}, "enforcement-off", autoPath, 10, "", nil},
	{"enforcement that is no boolean", old, files{oldPath: conf("= True", "= True # sure")}, "enforcement-unknown", oldPath, 10, "", nil},
	{"no section for it", old, files{oldPath: conf("[worker-optional]", "[worker_optional]")}, "enforcement-unknown", oldPath, 0, "", files{oldPath: conf()}},
	{"an option twice", old, files{oldPath: conf("[metadata]", "Enforce_Runbook_Signature_Validation = True\n[metadata]")}, "conf-unreadable", oldPath, 12, "is there already", files{oldPath: conf()}},
	{"a section missing", old, files{oldPath: conf("[metadata]", "")}, "conf-unreadable", oldPath, 0, "[metadata] is_azure_vm is missing", files{oldPath: conf()}},
	{"certificates not verified", old, files{oldPath: conf("[metadata]", "BYPASS_certificate_verification = On\n[metadata]")}, "certificates-bypassed", oldPath, 0, "", nil},
	{"a configuration that everybody may write", old, files{oldPath: {data: oldConf, mode: 0o666}}, "conf-writable", oldPath, 0, "everybody may write it", nil},
	{"a configuration of the worker's own", old, files{oldPath: {data: oldConf, uid: 997, gid: 996}}, "conf-writable", oldPath, 0, "belongs to nxautomation", nil},
	{"a folder above it of the worker's own", old, files{"/home/nxautomation/state": {folder: true, uid: 998, gid: 995, mode: 0o770}}, "conf-writable", "/home/nxautomation/state", 0, "belongs to omsagent, and the group omiusers may write it", nil},
	{"a configuration behind a link that others may turn", old, files{oldPath: link("/srv/x/worker.conf"), "/srv/x/worker.conf": conf(), "/home/nxautomation/state": folder(0o777)}, "conf-writable", "/home/nxautomation/state", 0, "everybody may write it", nil},

	{"no keyring named", old, files{oldPath: conf("gpg_public_keyring_path = /etc/writ/keyring.gpg", "")}, "keyring-not-configured", oldPath, 0, "", files{oldPath: conf()}},
	{"a keyring that is not there", old, files{"/etc/writ/keyring.gpg": nil}, "keyring-missing", "/etc/writ/keyring.gpg", 0, "", files{"/etc/writ/keyring.gpg": text(publicKey())}},
	{"a keyring by a relative path", old, files{oldPath: conf("/etc/writ/keyring.gpg", "keyring.gpg")}, "keyring-missing", oldPath, 0, `"keyring.gpg" is no absolute path`, files{oldPath: conf()}},
	{"the second keyring not there", old, files{oldPath: conf("/etc/writ/keyring.gpg", "/etc/writ/keyring.gpg,\n /no")}, "keyring-missing", "/no", 0, "", files{oldPath: conf()}},
	{"a keyring that a group may write", old, files{"/etc/writ/keyring.gpg": {data: publicKey(), mode: 0o664}}, "keyring-writable", "/etc/writ/keyring.gpg", 0, "the group root may write it", nil},
	{"a keyring in a folder of everybody", old, files{oldPath: conf("/etc/writ", "/srv/r"), "/srv/r/keyring.gpg": text(publicKey()), "/srv/r": folder(0o777)}, "keyring-writable", "/srv/r", 0, "/srv/r/keyring.gpg: everybody may write it", nil},
	{"a keyring of the worker's", old, files{"/etc/writ/keyring.gpg": {data: publicKey(), uid: 997}}, "keyring-writable", "/etc/writ/keyring.gpg", 0, "belongs to nxautomation", nil},
	{"a secret key in the keyring", old, files{"/etc/writ/keyring.gpg": text(secretKey())}, "keyring-secret-key", "/etc/writ/keyring.gpg", 0, "secret keys", files{"/etc/writ/keyring.gpg": text(publicKey())}},
	{"a keyring that is none", old, files{"/etc/writ/keyring.gpg": text("x")}, "keyring-unusable", "/etc/writ/keyring.gpg", 0, "no usable openpgp certificate", files{"/etc/writ/keyring.gpg": text(publicKey())}},

	{"the worker's home open to its group", old, files{"/home/nxautomation": folder(0o770), "/home/nxautomation/run": folder(0o770)}, "home-writable", "/home/nxautomation/run", 0, "mode 0770, of the group root", nil},
	{"gpg in the place of writ", old, files{"/opt/writ/gpg/gpg": nil, "/etc/sudoers.d/writ": nil, "/opt/writ/gpg": nil}, "gpg-runs-unsigned", "/usr/bin/gpg", 0, "version 2.2.40: it ends with 0 for literal and compressed messages, and for a clear-signed text with an empty signature block", nil},
	{"a newer gpg", old, files{"/opt/writ/gpg/gpg": nil, "/etc/sudoers.d/writ": nil, "/var/lib/dpkg/status": nil, "/lib/apk/db/installed": text("P:musl\nV:1\n\nP:gnupg\nV:2.4.9-r0\n")}, "gpg-runs-unsigned", "/usr/bin/gpg", 0, "version 2.4.9: it ends with 0 for literal and compressed messages", nil},
	{"a gpg of a version nobody knows", old, files{"/opt/writ/gpg/gpg": nil, "/etc/sudoers.d/writ": nil, "/var/lib/dpkg/status": nil}, "gpg-runs-unsigned", "/usr/bin/gpg", 0, "its version is not known", nil},

	{"a keyring line in gpg.conf", old, files{"/home/nxautomation/run/.gnupg/gpg.conf": text("# mine\nno-greeting\n  keyring /x/evil.gpg\n")}, "gpg-conf-keyring", "/home/nxautomation/run/.gnupg/gpg.conf", 3, "keyring /x/evil.gpg", nil},
	{"a primary-keyring line in one of a version", old, files{"/var/opt/microsoft/omsagent/run/.gnupg/gpg.conf-2.2": text("primary-keyring /x\n")}, "gpg-conf-keyring", "/var/opt/microsoft/omsagent/run/.gnupg/gpg.conf-2.2", 1, "", nil},
	{"a no-default-keyring line for all", old, files{"/etc/gnupg/gpg.conf": text("no-default-keyring")}, "gpg-conf-keyring", "/etc/gnupg/gpg.conf", 1, "", nil},
	{"the key database in place of keyrings", old, files{"/home/nxautomation/.gnupg/common.conf": text("use-keyboxd\n")}, "gpg-conf-keyring", "/home/nxautomation/.gnupg/common.conf", 1, "use-keyboxd", nil},
	{"signatures not verified", old, files{"/home/nxautomation/run/.gnupg/gpg.conf": text("skip-verify\n")}, "gpg-conf-weakens", "/home/nxautomation/run/.gnupg/gpg.conf", 1, "skip-verify", nil},
	{"keys fetched of whoever signed", old, files{"/home/nxautomation/run/.gnupg/gpg.conf": text("keyserver-options honor-http-proxy,auto-key-retrieve\n")}, "gpg-conf-weakens", "/home/nxautomation/run/.gnupg/gpg.conf", 1, "", nil},
	{"secret keys", old, files{"/home/nxautomation/run/.gnupg/private-keys-v1.d/A.key": text("x"), "/home/nxautomation/run/.gnupg/private-keys-v1.d": folder(0o700)}, "secret-keys", "/home/nxautomation/run/.gnupg/private-keys-v1.d/A.key", 0, "", nil},
	{"secret keys as old versions keep them", old, files{"/var/opt/microsoft/omsagent/run/automationworker/.gnupg/secring.gpg": text("x")}, "secret-keys", "/var/opt/microsoft/omsagent/run/automationworker/.gnupg/secring.gpg", 0, "", nil},
	{"secret keys of the user of writ", good, files{"/var/lib/writ/.gnupg/private-keys-v1.d/A.key": text("x")}, "secret-keys", "/var/lib/writ/.gnupg/private-keys-v1.d/A.key", 0, "", nil},
	{"secret keys of the runbooks' user", good, files{"/etc/writ/worker.yaml": text(workerYAML + "run: {user: ops}\n"), "/home/ops/.gnupg/secring.gpg": text("x")}, "secret-keys", "/home/ops/.gnupg/secring.gpg", 0, "", nil},

	{"sudo without a password", old, files{"/etc/sudoers.d/omsagent": text("# OMS\nnxautomation ALL=(ALL) NOPASSWD: ALL\n")}, "sudo-nopasswd", "/etc/sudoers.d/omsagent", 2, "for nxautomation: nxautomation ALL=(ALL) NOPASSWD: ALL", nil},
	{"the same in the main file, over several lines", old, files{"/etc/sudoers": text("Defaults env_reset\nnxautomation \\\n  ALL = ( ALL ) \\\n  NOPASSWD : \\\n  /bin/true\n@includedir /etc/sudoers.d")}, "sudo-nopasswd", "/etc/sudoers", 2, "", nil},
	{"for two accounts", old, files{"/etc/sudoers.d/a": text("nxautomation,omsagent ALL=NOPASSWD:/bin/sh")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation, omsagent: ", nil},
	{"by number", old, files{"/etc/sudoers.d/a": text("#997 ALL=(ALL) NOPASSWD: ALL # why\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation", files{"/etc/sudoers.d/a": nil}},
	{"by a group", old, files{"/etc/sudoers.d/a": text("%wheel ALL=(ALL) NOPASSWD: ALL\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation: %wheel", files{"/etc/sudoers.d/a": nil}},
	{"by the number of a group", old, files{"/etc/sudoers.d/a": text("%#996 ALL=(ALL) NOPASSWD: ALL\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation", files{"/etc/sudoers.d/a": nil}},
	{"by an alias of an alias", old, files{"/etc/sudoers.d/a": text("WORKERS ALL=NOPASSWD: ALL\nUser_Alias OPS = ops : WORKERS = OPS, BOTH\nUser_Alias BOTH=omsagent , nxautomation\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation, omsagent", files{"/etc/sudoers.d/a": nil}},
	{"for everybody", good, files{"/etc/sudoers.d/a": text("ALL ALL=(root) NOPASSWD: /bin/x\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for writ: ALL", files{"/etc/sudoers.d/a": nil}},
	{"by a setting for the account", old, files{"/etc/sudoers.d/a": text("Defaults:nxautomation !requiretty, !authenticate\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for nxautomation", nil},
	{"by a setting for all", old, files{"/etc/sudoers.d/a": text("Defaults !authenticate\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "", files{"/etc/sudoers.d/a": nil}},
	{"in a file that is included", old, files{"/etc/sudoers": text("#include local/more\n"), "/etc/local/more": text("nxautomation ALL=NOPASSWD: ALL\n"), "/opt/writ/gpg/gpg": nil, "/usr/bin/gpg": nil}, "sudo-nopasswd", "/etc/local/more", 1, "", nil},
	{"for the runbooks' own user", good, files{"/etc/writ/worker.yaml": text(workerYAML + "run: {user: job}\n"), "/etc/sudoers.d/a": text("job ALL=NOPASSWD: ALL\n")}, "sudo-nopasswd", "/etc/sudoers.d/a", 1, "for job", nil},

	{"a text that gpg refused", old, files{"/home/nxautomation/run/sandboxes/1/a-1.sh.d": text("x")}, "leftover-unverified", "/home/nxautomation/run/sandboxes/1/a-1.sh.d", 0, "", nil},
	{"the same where the configuration says", old, files{oldPath: conf("= /home/nxautomation/run", "= /srv/jobs"), "/srv/jobs/a b'1.py.d": text("x")}, "leftover-unverified", "/srv/jobs/a b'1.py.d", 0, "", nil},
	{"the worker that is an extension", good, files{"/var/lib/waagent/Microsoft.Azure.Automation.HybridWorker.HybridWorkerForLinux-1.1.13": folder(0)}, "extension-worker", "/var/lib/waagent/Microsoft.Azure.Automation.HybridWorker.HybridWorkerForLinux-1.1.13", 0, "", files{"/var/lib/waagent/Microsoft.Azure.Automation.HybridWorker.HybridWorkerForLinux-1.1.13": nil}},
	{"an account of nobody's", good, files{"/etc/passwd": text("root:x:0:0::/root:/bin/sh\nhweautomation:x:5:5::/home/h:/bin/sh\n")}, "account-left", "/etc/passwd", 0, "hweautomation", files{"/etc/passwd": text("root:x:0:0::/root:/bin/sh\n")}},

	{"no worker.yaml", good, files{"/etc/writ/worker.yaml": nil}, "no-config", "/etc/writ/worker.yaml", 0, "", files{"/etc/writ/worker.yaml": text(workerYAML)}},
	{"a worker.yaml that is none", good, files{"/etc/writ/worker.yaml": text(workerYAML + "trst: /x\n")}, "config-unusable", "/etc/writ/worker.yaml", 7, "trst: unknown key", files{"/etc/writ/worker.yaml": text(workerYAML)}},
	{"a worker.yaml that everybody may write", good, files{"/etc/writ/worker.yaml": {data: workerYAML, mode: 0o646}}, "config-writable", "/etc/writ/worker.yaml", 0, "everybody may write it", nil},
	{"a folder above it that everybody may write", good, files{"/etc/writ": folder(0o757)}, "config-writable", "/etc/writ", 0, "/etc/writ/worker.yaml: everybody may write it", nil},
	{"a worker.yaml of another account", good, files{"/etc/writ/worker.yaml": {data: workerYAML, uid: 1000, gid: 1000}}, "config-writable", "/etc/writ/worker.yaml", 0, "belongs to ops", nil},
	{"no trust store", good, files{"/etc/writ/trust/ops/openpgp/a.pgp": nil}, "trust-unusable", "/etc/writ/trust", 0, "it is not there", files{"/etc/writ/trust/ops/openpgp/a.pgp": text(publicKey())}},
	{"a trust store without anchors", good, files{"/etc/writ/trust/ops/openpgp/a.pgp": nil, "/etc/writ/trust": folder(0)}, "trust-unusable", "/etc/writ/trust", 0, "holds no anchors", files{"/etc/writ/trust/ops/openpgp/a.pgp": text(publicKey())}},
	{"a link in the trust store", good, files{"/etc/writ/trust/ops/openpgp/b.pgp": link("a.pgp")}, "trust-unusable", "/etc/writ/trust/ops/openpgp/b.pgp", 0, "links are refused", files{"/etc/writ/trust/ops/openpgp/b.pgp": nil}},
	{"a secret key in the trust store", good, files{"/etc/writ/trust/ops/openpgp/b.pgp": text(secretKey())}, "trust-unusable", "/etc/writ/trust/ops/openpgp/b.pgp", 0, "secret keys", files{"/etc/writ/trust/ops/openpgp/b.pgp": nil}},
	{"a file of the trust store that a group may write", good, files{"/etc/writ/trust/ops/openpgp/a.pgp": {data: publicKey(), mode: 0o664}}, "trust-writable", "/etc/writ/trust/ops/openpgp/a.pgp", 0, "the group root may write it", nil},
	{"a room of the trust store of everybody", good, files{"/etc/writ/trust/ops/openpgp": folder(0o777)}, "trust-writable", "/etc/writ/trust/ops/openpgp", 0, "everybody may write it", nil},
	{"no policy", good, files{"/etc/writ/policy/grants.yaml": nil, "/etc/writ/policy": folder(0)}, "policy-missing", "/etc/writ/policy", 0, "", files{"/etc/writ/policy/grants.yaml": text("version: 1\n")}},
	{"a policy that everybody may write", good, files{"/etc/writ/policy/grants.yaml": {data: "version: 1\n", mode: 0o666}}, "policy-writable", "/etc/writ/policy/grants.yaml", 0, "", nil},
	{"no folder for the ledger", good, files{"/var/lib/writ": nil, "/var/lib/writ/ledger.jsonl": nil}, "ledger-missing", "/var/lib/writ", 0, "", nil},
	{"no state folder", good, files{"/etc/writ/worker.yaml": text(strings.Replace(workerYAML, "state: /var/lib/writ", "state: /var/lib/state", 1))}, "state-missing", "/var/lib/state", 0, "", nil},
	{"a ledger that everybody may write", good, files{"/var/lib/writ/ledger.jsonl": {mode: 0o666}}, "ledger-writable", "/var/lib/writ/ledger.jsonl", 0, "", nil},
	{"a ledger in a folder of everybody", good, files{"/var/lib/writ": folder(0o777), "/var/lib/writ/ledger.jsonl": nil}, "ledger-writable", "/var/lib/writ", 0, "", nil},
	{"a state folder of everybody", good, files{"/var/lib/writ": folder(0o777)}, "state-writable", "/var/lib/writ", 0, "", nil},
	{"a program that everybody may write", good, files{"/usr/bin/writ": {mode: 0o777}}, "program-writable", "/usr/bin/writ", 0, "", nil},
	{"a shim that everybody may turn", old, files{"/opt/writ/gpg": folder(0o777)}, "program-writable", "/opt/writ/gpg", 0, "/opt/writ/gpg/gpg: everybody may write it", nil},
	{"an interpreter that everybody may write", good, files{"/usr/bin/python3": link("python3.11"), "/usr/bin/python3.11": {mode: 0o777}}, "interpreter-writable", "/usr/bin/python3.11", 0, "/usr/bin/python3: everybody may write it", nil},
	{"a folder of programs that everybody may write", good, files{"/usr/local/bin": folder(0o777)}, "interpreter-writable", "/usr/local/bin", 0, "", nil},
	{"an interpreter of its own that everybody may write", good, files{"/etc/writ/worker.yaml": text(workerYAML + "interpreters: {perl: {program: /opt/perl}}\n"), "/opt/perl": {mode: 0o777}}, "interpreter-writable", "/opt/perl", 0, "", nil},
	{"an interpreter that is not there", good, files{"/etc/writ/worker.yaml": text(workerYAML + "interpreters: {perl: {program: /opt/perl}}\n")}, "config-unusable", "/opt/perl", 0, "for perl", files{"/opt/perl": {mode: 0o755}}},
	{"no folder for logs", good, files{"/etc/writ/worker.yaml": text(workerYAML + "logs: {dir: /var/log/writ}\n")}, "logs-missing", "/var/log/writ", 0, "", nil},
	{"a folder for logs of everybody", good, files{"/etc/writ/worker.yaml": text(workerYAML + "logs: {dir: /var/log/writ}\n"), "/var/log/writ": folder(0o777)}, "logs-writable", "/var/log/writ", 0, "", nil},
	{"a sandbox that is open where the ledger is", good, files{"/etc/writ/worker.yaml": text(workerYAML + "run: {sandbox: {write: [/var]}}\n")}, "sandbox-opens", "/var", 0, "and the ledger is /var/lib/writ/ledger.jsonl", files{"/etc/writ/worker.yaml": text(workerYAML)}},
	{"a sandbox that is open where the policy is, by a link", good, files{"/etc/writ/worker.yaml": text(workerYAML + "run: {sandbox: {write: [/srv/p]}}\n"), "/srv/p": link("/etc/writ/policy")}, "sandbox-opens", "/srv/p", 0, "and the policy is", files{"/etc/writ/worker.yaml": text(workerYAML)}},
	{"a key of the ledger that everybody may read", good, files{"/etc/writ/worker.yaml": text(workerYAML + "ledger_checkpoints: {key: /etc/writ/ledger.key}\n"), "/etc/writ/ledger.key": {data: "x", mode: 0o644}}, "ledger-key-readable", "/etc/writ/ledger.key", 0, "mode 0644", nil},
	{"a key of the ledger that everybody may write", good, files{"/etc/writ/worker.yaml": text(workerYAML + "ledger_checkpoints: {key: /etc/writ/ledger.key}\n"), "/etc/writ/ledger.key": {data: "x", mode: 0o602}}, "config-writable", "/etc/writ/ledger.key", 0, "", nil},
	{"no key of the ledger", good, files{"/etc/writ/worker.yaml": text(workerYAML + "ledger_checkpoints: {key: /etc/writ/ledger.key}\n")}, "config-unusable", "/etc/writ/ledger.key", 0, "it is not there", files{"/etc/writ/ledger.key": {data: "x", mode: 0o600}}},
	{"a clock behind the ledger", good, files{"/var/lib/writ/ledger.jsonl": {data: `{"time":"2026-11-22T12:30:00Z"}` + "\n" + `{"time`, mode: 0o600}}, "clock-behind-ledger", "/var/lib/writ/ledger.jsonl", 0, "it is 2026-11-22T12:00:00Z, and the last record is of 2026-11-22T12:30:00Z", files{"/var/lib/writ/ledger.jsonl": {mode: 0o600}}},
}

// TestEachBrokenHostIsFoundAndMended: the finding appears, and is gone once its
// commands ran, or once somebody did by hand what they cannot.
func TestEachBrokenHostIsFoundAndMended(t *testing.T) {
	t.Parallel()
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := c.base().over(c.wrong).build(t)
			r := examine(t, root, doctor.Options{})
			f := find(r, c.code, c.where)
			if f == nil {
				t.Fatalf("no %s at %s in\n%s", c.code, c.where, said(r))
			}
			if f.Line != c.line || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("line %d, %q: want line %d, %q", f.Line, f.Detail, c.line, c.detail)
			}
			if f.Why == "" || len(f.Mend) == 0 && f.Note == "" {
				t.Errorf("it does not say why, or how it is mended: %+v", f)
			}
			if len(r.Unread) > 0 {
				t.Error(said(r))
			}
			if c.hand != nil {
				root = c.base().over(c.wrong).over(c.hand).build(t)
			} else {
				if len(f.Mend) == 0 {
					t.Fatal("no command mends it")
				}
				for _, m := range f.Mend {
					if strings.HasPrefix(m, "install -d -m 700 -o ") && os.Getuid() != 0 {
						t.Skip("skipped: only root can give files away")
					}
					shell(t, m)
				}
			}
			if r := examine(t, root, doctor.Options{}); find(r, c.code, c.where) != nil {
				t.Errorf("it is there still:\n%s", said(r))
			}
		})
	}
}

// TestAHostIsMendedByItsOwnCommands: with everything wrong at once, the commands
// in their order leave nothing that a command mends.
func TestAHostIsMendedByItsOwnCommands(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can give files away")
	}
	host := old()
	for _, c := range broken {
		if c.hand == nil && c.base().over(c.wrong)[oldPath] != nil && c.wrong["/etc/writ/worker.yaml"] == nil {
			for p, f := range c.wrong {
				if was := host[p]; f != nil && (was == nil || was.data == "" || f.data != "") {
					host[p] = f
				}
			}
		}
	}
	host[oldPath] = &file{data: strings.NewReplacer("= True", "= off", "[metadata]", "bypass_certificate_verification = 1\n[metadata]").Replace(oldConf), mode: 0o666, uid: 997, gid: 996}
	host["/etc/sudoers"] = text("nxautomation ALL=NOPASSWD: \\\n  ALL\n@includedir /etc/sudoers.d\n")
	host["/usr/bin"] = folder(0o777)
	delete(host, "/opt/writ/gpg/gpg")
	root := host.build(t)
	before := examine(t, root, doctor.Options{})
	codes := map[doctor.Code]bool{}
	for _, f := range before.Findings {
		for _, m := range f.Mend {
			if !strings.HasPrefix(m, "writ ") && !strings.HasPrefix(m, "visudo ") {
				shell(t, m)
				codes[f.Code] = true
			}
		}
	}
	if len(codes) < 12 {
		t.Errorf("only %v were mended", codes)
	}
	for _, f := range examine(t, root, doctor.Options{}).Findings {
		if len(f.Mend) > 0 && f.Code != "old-worker" && !strings.HasPrefix(f.Mend[0], "visudo ") {
			t.Errorf("%s %s:%d: %s is there still", f.Code, f.Where, f.Line, f.Detail)
		}
	}
}

func TestEveryCodeHasABrokenHost(t *testing.T) {
	t.Parallel()
	live := []doctor.Code{"clock-before-build", "clock-not-synchronized", "ledger-space", "temp-space", "no-namespaces", "no-seccomp", "no-landlock", "no-noexec-seal", "no-bubblewrap", "no-cgroup"}
	shown := map[doctor.Code]bool{}
	for _, code := range live { // TestWhatOnlyARunningHostSays
		shown[code] = true
	}
	for _, c := range broken {
		shown[c.code] = true
	}
	for _, code := range doctor.Codes() {
		if !shown[code] {
			t.Errorf("%s: no test shows it", code)
		}
	}
}

// canceled is a context in which nothing is tried that takes long.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func TestWhatOnlyARunningHostSays(t *testing.T) {
	t.Parallel()
	root := good().over(files{"/etc/writ/worker.yaml": text(workerYAML + "run: {sandbox: {cgroup: /writ.slice}}\n")}).build(t)
	able := func(has bool) func(context.Context, string) []abilities.Ability {
		return func(ctx context.Context, group string) []abilities.Ability {
			list := abilities.Look(canceled(ctx), "/nowhere") // for the names that there are
			for i := range list {
				list[i].Has, list[i].Detail = has, "why "+list[i].Name
				if list[i].Name == abilities.ControlGroups {
					list[i].Detail += " of " + strings.TrimPrefix(group, "/")
				}
			}
			return list
		}
	}
	sick, sound := &doctor.Live{
		Built:        now.Add(time.Hour),
		Synchronized: func() (bool, error) { return false, nil },
		Free:         func(*os.File) (uint64, error) { return 63 << 20, nil },
		Abilities:    able(false),
	}, &doctor.Live{
		Built:        now.Add(-time.Hour),
		Synchronized: func() (bool, error) { return true, nil },
		Free:         func(*os.File) (uint64, error) { return 1 << 30, nil },
		Abilities:    able(true),
	}
	r := examine(t, root, doctor.Options{Live: sick})
	for code, detail := range map[doctor.Code]string{
		"clock-before-build": "it is 2026-11-22T12:00:00Z, and writ was made at 2026-11-22T13:00:00Z", "clock-not-synchronized": "", "ledger-space": "63 MiB are free", "temp-space": "63 MiB are free",
		"no-namespaces": "why namespaces", "no-seccomp": "why seccomp", "no-landlock": "why landlock", "no-noexec-seal": "why memfd-noexec-seal", "no-bubblewrap": "why bwrap", "no-cgroup": "why cgroup of writ.slice",
	} {
		if f := find(r, code, ""); f == nil || !strings.Contains(f.Detail, detail) {
			t.Errorf("%s: %s", code, said(r))
		}
	}
	if r := examine(t, root, doctor.Options{Live: sound}); len(r.Findings)+len(r.Unread) > 0 {
		t.Error(said(r))
	}
	mute := &doctor.Live{Synchronized: func() (bool, error) { return true, errors.New("no answer") }, Free: func(*os.File) (uint64, error) { return 0, errors.New("no answer") }}
	if r := examine(t, root, doctor.Options{Live: mute}); len(r.Unread) != 3 {
		t.Errorf("what gave no answer is not said: %s", said(r))
	}
}

func TestTheAccountOfWritMayOwnWhatItNeeds(t *testing.T) {
	t.Parallel()
	wrong := good().over(files{"/var/lib/writ": {folder: true, mode: 0o700, uid: 990, gid: 990}, "/var/lib/writ/ledger.jsonl": {mode: 0o600, uid: 990, gid: 990}})
	root := wrong.build(t)
	if r := examine(t, root, doctor.Options{}); len(r.Findings) > 0 {
		t.Error(said(r))
	}
	if r := examine(t, root, doctor.Options{User: "ops"}); find(r, "ledger-writable", "/var/lib/writ/ledger.jsonl") == nil || find(r, "state-writable", "/var/lib/writ") == nil {
		t.Error(said(r))
	}
	if r := examine(t, root, doctor.Options{User: "nobody-knows"}); len(r.Unread) == 0 {
		t.Error("an account that is not there is not said")
	}
}

func TestWhatCannotBeLookedAtIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrong  files
		config string
		where  string
	}{
		"a worker.yaml that was named":    {nil, "/etc/writ/other.yaml", "/etc/writ/other.yaml"},
		"a folder in the place of sudo's": {files{"/etc/sudoers": folder(0)}, "", "/etc/sudoers"},
		"a loop of links":                 {files{"/etc/sudoers": link("sudoers")}, "", "/etc/sudoers"},
		"a netgroup":                      {files{"/etc/sudoers.d/a": text("+workers ALL=NOPASSWD: ALL")}, "", "/etc/sudoers.d/a"},
		"a ledger that ends in nothing":   {files{"/var/lib/writ/ledger.jsonl": {data: "x\n", mode: 0o600}}, "", "/var/lib/writ/ledger.jsonl"},
		"a path with a host's name":       {files{"/etc/sudoers.d/a": text("@include /etc/sudoers.%h")}, "", "/etc/sudoers.%h"},
	} {
		r := examine(t, good().over(c.wrong).build(t), doctor.Options{Config: c.config})
		if len(r.Unread) == 0 || r.Unread[0].Where != c.where {
			t.Errorf("%s: %s", name, said(r))
		}
	}
	if os.Getuid() != 0 {
		r := examine(t, good().over(files{"/etc/sudoers": {mode: 0o001}}).build(t), doctor.Options{})
		if len(r.Unread) == 0 || r.Unread[0].Detail != "permission denied" {
			t.Error(said(r))
		}
	}
}

// TestAttackSudoersThatIncludeThemselves: each file is read once.
func TestAttackSudoersThatIncludeThemselves(t *testing.T) {
	t.Parallel()
	rule := "nxautomation ALL=NOPASSWD: ALL\n"
	r := examine(t, good().over(files{
		"/etc/sudoers":     text("@include /etc/sudoers\n@include sudoers.d/a\n@includedir sudoers.d\n"),
		"/etc/sudoers.d/a": text("#includedir /etc/sudoers.d\n@include /etc/sudoers\n" + rule), "/etc/sudoers.d/b": link("a"), "/etc/sudoers.d/c.bak": text(rule), "/etc/sudoers.d/c~": text(rule),
	}).build(t), doctor.Options{})
	if len(r.Findings) != 1 || len(r.Unread) > 0 {
		t.Error(said(r))
	}
}

func TestAHostThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{path, path + "x"} {
		var bad *doctor.RootError
		if _, err := doctor.Examine(t.Context(), doctor.Options{Root: root}); !errors.As(err, &bad) {
			t.Errorf("%s: %v", root, err)
		}
	}
}

func TestAnExaminationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	if r, err := doctor.Examine(canceled(t.Context()), doctor.Options{Root: good().build(t)}); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// TestAttackALinkOutOfTheImage: an image's links lead inside of it, wherever
// they point.
func TestAttackALinkOutOfTheImage(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for name, data := range map[string]string{"sudoers": "nxautomation ALL=NOPASSWD: ALL\n", "worker.conf": oldConf} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	up := strings.Repeat("../", 40)
	for name, wrong := range map[string]files{
		"absolute":            {"/etc/sudoers": link(filepath.Join(outside, "sudoers")), oldPath: link(filepath.Join(outside, "worker.conf"))},
		"relative":            {"/etc/sudoers": link(up + filepath.Join(outside, "sudoers")), oldPath: link(up + filepath.Join(outside, "worker.conf"))},
		"of a folder":         {"/etc/sudoers": nil, "/etc/sudoers.d": nil, "/home/nxautomation/state": link(outside)},
		"of a folder, around": {"/etc/sudoers": nil, "/etc/sudoers.d": nil, "/home/nxautomation/state": link("/../../x/" + up + outside)},
	} {
		host := good().over(wrong)
		if r := examine(t, host.build(t), doctor.Options{}); find(r, "sudo-nopasswd", "") != nil || find(r, "old-worker", "") != nil {
			t.Errorf("%s: %s", name, said(r))
		}
		for p, f := range wrong { // and what lies there inside is found
			if f != nil && filepath.IsAbs(f.link) && strings.HasSuffix(f.link, "worker.conf") {
				host[f.link] = text(oldConf)
				if r := examine(t, host.build(t), doctor.Options{}); find(r, "old-worker", f.link) == nil {
					t.Errorf("%s: %s is not followed inside: %s", name, p, said(r))
				}
			}
		}
	}
}

// TestAttackAFIFOInThePlaceOfAFile: nobody ever writes to it.
func TestAttackAFIFOInThePlaceOfAFile(t *testing.T) {
	t.Parallel()
	root := good().over(files{"/etc/sudoers": nil}).build(t)
	shell(t, "mkfifo "+filepath.Join(root, "etc/sudoers"))
	r := examine(t, root, doctor.Options{})
	if len(r.Unread) != 1 || r.Unread[0].Detail != "not a regular file" {
		t.Error(said(r))
	}
}

// TestAttackANameThatWouldBeACommand: what is in a path stays in it, and a path
// that cannot be shown as it is has no command.
func TestAttackANameThatWouldBeACommand(t *testing.T) {
	dir := "/home/nxautomation/run/sandboxes/1/"
	names := []string{"$(touch pwned).sh.d", "`touch pwned`.py.d", "a'; touch pwned; '.sh.d", "-rf.sh.d", "a b\\.sh.d", "*.sh.d"}
	wrong := files{}
	for _, name := range names {
		wrong[dir+name] = text("x")
	}
	root := old().over(wrong).over(files{dir + "keep": text("x")}).build(t)
	r := examine(t, root, doctor.Options{})
	t.Chdir(root)
	for _, name := range names {
		f := find(r, "leftover-unverified", dir+name)
		if f == nil || len(f.Mend) != 1 {
			t.Fatalf("%s: %+v", name, f)
		}
		shell(t, f.Mend[0])
		if _, err := os.Lstat(filepath.Join(root, dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there still", name)
		}
	}
	for _, p := range []string{"pwned", dir + "pwned"} {
		if _, err := os.Lstat(filepath.Join(root, p)); err == nil {
			t.Error("a name was run")
		}
	}
	if _, err := os.Lstat(filepath.Join(root, dir+"keep")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a\nrm x.sh.d", "a\x1b[2K.sh.d", "a\u202eb.sh.d", "\xff.sh.d", "a\u200bb.sh.d"} {
		f := find(examine(t, old().over(files{dir + name: text("x")}).build(t), doctor.Options{}), "leftover-unverified", dir+name)
		if f == nil || len(f.Mend) != 0 || f.Note == "" {
			t.Errorf("%q: %+v", name, f)
		}
	}
}

func TestEachCodeIsDocumentedWithItsSeverity(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "cli", "doctor.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range doctor.Codes() {
		if !strings.Contains(string(page), "| `"+string(code)+"` | "+doctor.SeverityOf(code).String()+" |") {
			t.Errorf("the page does not have %s with its severity", code)
		}
	}
}
