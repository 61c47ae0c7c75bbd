package doctor

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/verifier"
)

// maxProblems is how many mistakes of a configuration are findings.
const maxProblems = 20

// own looks at what writ relies on.
func (x *examination) own() {
	for _, p := range []string{"/usr/bin/writ", "/usr/local/bin/writ"} {
		if at, ok := x.find(p); ok {
			x.writable("program-writable", p, x.flaws(at, onlyRoot))
		}
	}
	w := x.worker
	if w == nil {
		return
	}
	good := owners{x.gate}
	for _, i := range w.Issuers {
		x.configFile(i.JWKS, good)
	}
	if m := w.ManagedIdentity; m != nil {
		x.configFile(m.HeaderFile, good)
	}
	if w.Tokens != nil && w.Tokens.Identity != nil {
		x.configFile(w.Tokens.Identity.HeaderFile, good)
	}
	x.ledgerKey(w.Checkpoints.Key, good)
	x.trust(w.Trust, good)
	x.policy(w.Policy, good)
	x.ledger(w.Ledger, good)
	x.state(w.State, good)
	x.running(w, good)
}

// config reads worker.yaml.
func (x *examination) config() {
	p := x.options.Config
	if p == "" {
		p = DefaultConfig
	}
	data, at, err := x.read(p, config.MaxSize)
	switch {
	case missing(err) && x.options.Config == "":
		x.add(Finding{Code: "no-config", Where: p, Note: "name it: --config FILE"})
		return
	case missing(err):
		x.unread(p, "there is no such file")
		return
	case err != nil:
		x.note(p, err)
		return
	}
	x.writable("config-writable", p, x.flaws(at, owners{x.gate}))
	w, err := config.Parse(path.Base(p), data)
	var syntax *config.SyntaxError
	switch {
	case errors.As(err, &syntax):
		for _, problem := range syntax.Problems[:min(len(syntax.Problems), maxProblems)] {
			x.add(Finding{Code: "config-unusable", Where: p, Line: problem.Line, Detail: strings.TrimPrefix(problem.Field+": "+problem.Msg, ": "), Note: "mend it by hand: docs/formats/worker-config.md"})
		}
	case err != nil:
		x.unread(p, err.Error())
	default:
		x.worker = w
	}
}

// configFile looks at a file that the configuration names, and that decides as
// much.
func (x *examination) configFile(p string, good owners) {
	if p == "" {
		return
	}
	at, ok := x.find(p)
	if !ok {
		x.add(Finding{Code: "config-unusable", Where: p, Detail: "the configuration names this file, and it is not there", Note: "put it there, or mend the configuration"})
		return
	}
	x.writable("config-writable", p, x.flaws(at, good))
}

// ledgerKey looks at the key that signs the ledger's head.
func (x *examination) ledgerKey(p string, good owners) {
	x.configFile(p, good)
	if at, ok := x.find(p); p != "" && ok && at.info.Mode().Perm()&0o077 != 0 {
		f := Finding{Code: "ledger-key-readable", Where: at.path, Detail: fmt.Sprintf("mode %04o", at.info.Mode().Perm()), Note: "if a runbook may have read it, make a new one: writ ledger keygen"}
		x.mend(&f, at.path, "chmod go-rwx -- PATH")
		x.add(f)
	}
}

func (x *examination) trust(p string, good owners) {
	at, ok := x.find(p)
	if !ok {
		x.add(Finding{Code: "trust-unusable", Where: p, Detail: "it is not there", Note: "make it, with the public certificates of your signers: docs/formats/trust-store.md"})
		return
	}
	x.writable("trust-writable", p, x.treeFlaws(at, good))
	const note = "mend or remove the file: docs/formats/trust-store.md"
	// Without links on the way, the path leads to the same place from outside.
	store, err := verifier.OpenTrust(x.real(at.path), verifier.TrustOptions{})
	if err != nil {
		var te *verifier.TrustError
		f := Finding{Code: "trust-unusable", Where: p, Detail: err.Error(), Note: note}
		if errors.As(err, &te) {
			f.Detail = te.Err.Error()
			f.Where = path.Join("/", strings.TrimPrefix(te.Path, strings.TrimSuffix(x.dir, "/")))
		}
		x.add(f)
		return
	}
	for _, file := range store.Files(verifier.RoomOpenPGP) {
		if err := pgpcert.NewLoader().Add(file.Name, file.Data); err != nil {
			x.add(Finding{Code: "trust-unusable", Where: path.Join(at.path, file.Name), Detail: err.Error(), Note: note})
		}
	}
}

func (x *examination) policy(p string, good owners) {
	at, ok := x.find(p)
	if !ok || at.info.IsDir() && len(x.list(p)) == 0 {
		x.add(Finding{Code: "policy-missing", Where: p, Note: "write one: docs/policy.md"})
		return
	}
	x.writable("policy-writable", p, x.treeFlaws(at, good))
}

func (x *examination) ledger(p string, good owners) {
	at, ok := x.find(p)
	if !ok {
		folder, ok := x.find(path.Dir(p))
		if !ok {
			f := Finding{Code: "ledger-missing", Where: path.Dir(p)}
			x.makeFolder(&f, path.Dir(p))
			x.add(f)
			return
		}
		x.writable("ledger-writable", p, x.flaws(folder, good))
		return
	}
	if at.info.IsDir() {
		x.writable("ledger-writable", p, x.treeFlaws(at, good))
		return
	}
	x.writable("ledger-writable", p, x.flaws(at, good))
}

func (x *examination) state(p string, good owners) {
	if p == "" {
		return
	}
	at, ok := x.find(p)
	if !ok {
		f := Finding{Code: "state-missing", Where: p}
		x.makeFolder(&f, p)
		x.add(f)
		return
	}
	x.writable("state-writable", p, x.treeFlaws(at, good))
}

// makeFolder is the command that makes a folder of the account that writ runs as.
func (x *examination) makeFolder(f *Finding, p string) {
	x.mend(f, p, fmt.Sprintf("install -d -m 700 -o %d -- PATH", x.gate))
}
