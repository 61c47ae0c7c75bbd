//go:build unix

package doctor_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/doctor"
	"github.com/runwrit/writ/internal/newkeys"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// file is one of a host: a file, or a link if link is set, or a folder if folder.
type file struct {
	data   string
	mode   fs.FileMode // 0644, or 0755 of a folder, if 0
	link   string
	folder bool
	// uid and gid are of another account than root's.
	uid, gid int
}

// files are those of a host by path; nil takes one away from what they are put
// over.
type files map[string]*file

func text(s string) *file { return &file{data: s} }

func folder(mode fs.FileMode) *file { return &file{folder: true, mode: mode} }

func link(to string) *file { return &file{link: to} }

// over is a host with some files otherwise.
func (f files) over(more files) files {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

var publicKey, secretKey = sync.OnceValue(func() string { return keyring(false) }), sync.OnceValue(func() string { return keyring(true) })

func keyring(secret bool) string {
	e, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Alice", Created: now.AddDate(-1, 0, 0)})
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	if secret {
		err = e.SerializePrivate(&b, nil)
	} else {
		err = e.Serialize(&b)
	}
	if err != nil {
		panic(err)
	}
	return b.String()
}

const workerYAML = `version: 1
id: web-01
trust: /etc/writ/trust
policy: /etc/writ/policy
ledger: /var/lib/writ/ledger.jsonl
state: /var/lib/writ
`

// good is a host on which writ is set up as its packaging does.
func good() files {
	return files{
		"/etc/passwd":                       text("root:x:0:0:root:/root:/bin/sh\nwrit:x:990:990::/var/lib/writ:/usr/sbin/nologin\nops:x:1000:1000::/home/ops:/bin/sh\n"),
		"/etc/group":                        text("root:x:0:\nwrit:x:990:\nops:x:1000:\nsudo:x:27:ops\n"),
		"/etc/sudoers":                      {data: "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n", mode: 0o440},
		"/etc/sudoers.d":                    folder(0o750),
		"/etc/writ/worker.yaml":             text(workerYAML),
		"/etc/writ/trust/ops/openpgp/a.pgp": text(publicKey()),
		"/etc/writ/policy/grants.yaml":      text("version: 1\n"),
		"/var/lib/writ":                     folder(0o700),
		"/var/lib/writ/ledger.jsonl":        {data: `{"seq":1,"time":"2026-11-22T11:00:00Z","type":"decision"}` + "\n", mode: 0o600},
		"/usr/bin/writ":                     {data: "#!/bin/sh\n", mode: 0o755},
		"/tmp":                              folder(0o777 | fs.ModeSticky),
	}
}

const oldPath = "/home/nxautomation/state/worker.conf"

const oldConf = `[worker-required]
jrds_cert_path = /home/nxautomation/state/worker_diy.crt
jrds_key_path = /home/nxautomation/state/worker_diy.key
jrds_base_uri = https://example.test
account_id = 1
machine_id = 2
hybrid_worker_group_name = web
working_directory_path = /home/nxautomation/run
[worker-optional]
enforce_runbook_signature_validation = True
gpg_public_keyring_path = /etc/writ/keyring.gpg
[metadata]
is_azure_vm = False
`

// old is a host with an old worker, of which nothing is open.
func old() files {
	return good().over(files{
		"/etc/passwd": text("root:x:0:0:root:/root:/bin/sh\nwrit:x:990:990::/var/lib/writ:/usr/sbin/nologin\nops:x:1000:1000::/home/ops:/bin/sh\n" +
			"nxautomation:x:997:996::/home/nxautomation/run:/bin/sh\nomsagent:x:998:998::/var/opt/microsoft/omsagent/run:/bin/sh\n"),
		"/etc/group":              text("root:x:0:\nsudo:x:27:ops\nomiusers:x:995:nxautomation,omsagent\nnxautomation:x:996:\nomsagent:x:998:nxautomation\nwheel:x:10:ops,nxautomation\n"),
		oldPath:                   text(oldConf),
		"/home/nxautomation/run":  folder(0o755),
		"/etc/writ/keyring.gpg":   text(publicKey()),
		"/usr/bin/gpg":            {data: "#!/bin/sh\n", mode: 0o755},
		"/opt/writ/gpg/gpg":       link("/usr/bin/writ"),
		"/etc/sudoers.d/writ":     text(`Defaults>nxautomation secure_path="/opt/writ/gpg:/usr/bin:/bin"` + "\n"),
		"/var/lib/dpkg/status":    text("Package: gnupg\nStatus: install ok installed\nVersion: 2.2.40-1.1\n\nPackage: gpg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.2.40-1.1+deb12u1\n"),
		"/home/nxautomation/note": text("x"),
	})
}

// build makes a host in a new folder.
func (f files) build(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	check(os.Chmod(root, 0o755))
	paths := slices.Sorted(maps.Keys(f))
	for _, p := range paths {
		x := f[p]
		if x == nil {
			continue
		}
		at := filepath.Join(root, p)
		check(os.MkdirAll(filepath.Dir(at), 0o755))
		switch {
		case x.link != "":
			check(os.Symlink(x.link, at))
			continue
		case x.folder:
			check(os.MkdirAll(at, 0o755))
		default:
			check(os.WriteFile(at, []byte(x.data), 0o600))
		}
	}
	for _, p := range slices.Backward(paths) { // what is inside before the folder
		x := f[p]
		if x == nil || x.link != "" {
			continue
		}
		mode := x.mode
		switch {
		case mode == 0 && x.folder:
			mode = 0o755
		case mode == 0:
			mode = 0o644
		}
		if x.uid != 0 || x.gid != 0 {
			if os.Getuid() != 0 {
				t.Skip("skipped: only root can give files away")
			}
			check(os.Chown(filepath.Join(root, p), x.uid, x.gid))
		}
		check(os.Chmod(filepath.Join(root, p), mode))
	}
	return root
}

// asRoot takes what belongs to the user of the test for what belongs to root.
func asRoot(info fs.FileInfo) (uid, gid uint32, ok bool) {
	st := info.Sys().(*syscall.Stat_t)
	uid, gid = st.Uid, st.Gid
	if int(uid) == os.Getuid() {
		uid = 0
	}
	if int(gid) == os.Getgid() {
		gid = 0
	}
	return uid, gid, true
}

func examine(t *testing.T, root string, o doctor.Options) *doctor.Report {
	t.Helper()
	o.Root, o.Owner, o.Now = root, asRoot, func() time.Time { return now }
	r, err := doctor.Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// said is a report in short: "severity code where:line: detail".
func said(r *doctor.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.Severity.String() + " " + string(f.Code) + " " + f.Where + ": " + f.Detail + "\n")
		for _, m := range f.Mend {
			b.WriteString("  " + m + "\n")
		}
	}
	for _, u := range r.Unread {
		b.WriteString("unread " + u.Where + ": " + u.Detail + "\n")
	}
	return b.String()
}

func find(r *doctor.Report, code doctor.Code, where string) *doctor.Finding {
	for _, f := range r.Findings {
		if f.Code == code && (where == "" || f.Where == where) {
			return &f
		}
	}
	return nil
}

// shell runs a command that mends something.
func shell(t *testing.T, command string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
