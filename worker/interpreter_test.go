//go:build linux

package worker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/worker"
)

// with names the interpreter of a kind.
func with(kind runbook.Kind, program string, options ...string) func(*worker.Options) {
	return func(o *worker.Options) {
		o.Interpreters = map[runbook.Kind]worker.Interpreter{kind: {Program: program, Options: options}}
	}
}

// profilesOf are those in which something is tried.
func profilesOf() []string {
	return []string{policy.SandboxNone, policy.SandboxStandard, policy.SandboxStrict}
}

// installed names the program of a kind; a shim that needs the environment of its owner
// does not do.
func installed(t *testing.T, kind runbook.Kind, tool string, options ...string) func(*worker.Options) {
	t.Helper()
	testenv.Tool(t, tool)
	path := filepath.Join("/usr/bin", tool)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: there is no %s", path)
	}
	return with(kind, path, options...)
}

// The real interpreters: each says how it was called, and cannot be talked into
// running an argument.
func TestRunbooksOfEachKindGetTheirArgumentsAsTheyAre(t *testing.T) {
	t.Parallel()
	args := []policy.Argument{{Value: "two words; $(touch x)"}, {Name: "Mode", Value: "-e print 1"}, {Value: ""}, {Name: "n", Value: "a=b:c"}}
	want := "--Mode=-e print 1|--n=a=b:c|two words; $(touch x)|\n"
	for _, c := range []struct {
		name, tool, payload string
		kind                runbook.Kind
		options             []string
	}{
		{"r.sh", "bash", `IFS='|'; echo "$*"`, "", nil},
		{"plain.sh", "sh", "#!/bin/sh\nIFS='|'; echo \"$*\"", "", nil},
		{"r.py", "python3", "import sys; print('|'.join(sys.argv[1:]))", "", nil},
		{"named.py", "python3", "import sys; print('|'.join(sys.argv[1:]))", runbook.Python, []string{"-B"}},
		{"r.pl", "perl", "use strict; print join('|', @ARGV), \"\\n\";", runbook.Perl, []string{"-w"}},
		{"r.rb", "ruby", "puts ARGV.join('|')", runbook.Ruby, []string{"-w"}},
		{"r.js", "node", "console.log(process.argv.slice(2).join('|'))", runbook.JavaScript, []string{"--no-warnings"}},
	} {
		for _, profile := range profilesOf() {
			if profile == policy.SandboxStandard && c.kind != runbook.JavaScript {
				continue // the others find their script as in one of the two
			}
			t.Run(c.tool+" runs "+c.name+" in "+profile, func(t *testing.T) {
				t.Parallel()
				testenv.Tool(t, c.tool)
				var change []func(*worker.Options)
				if c.kind != "" {
					change = append(change, installed(t, c.kind, c.tool, c.options...))
				}
				g := newGate(t, change...)
				if g.sandbox = profile; profile == policy.SandboxStrict {
					g.confine(profile)
				}
				g.args = args
				if o := g.must(g.run(c.name, c.payload+"\n")); o.stdout != want || o.stderr != "" {
					t.Errorf("got %q and %q, want %q", o.stdout, o.stderr, want)
				}
			})
		}
	}
}

// What a runbook loads comes from its set, and the folder above it is nobody's.
func TestRunbooksOfEachKindLoadTheFilesOfTheirSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry, tool string
		kind        runbook.Kind
		files       map[string]string
	}{
		{"bin/r.pl", "perl", runbook.Perl, map[string]string{
			"bin/r.pl": "use FindBin; use lib \"$FindBin::Bin/../lib\"; use Greet; print Greet::text(), \"\\n\";\n", "lib/Greet.pm": "package Greet; sub text { 'from the set' } 1;\n",
		}},
		{"bin/r.rb", "ruby", runbook.Ruby, map[string]string{"bin/r.rb": "require_relative '../lib/greet'\nputs TEXT\n", "lib/greet.rb": "TEXT = 'from the set'\n"}},
		{"bin/r.js", "node", runbook.JavaScript, map[string]string{
			"bin/r.js": "console.log(require('../lib/greet.js').text)\n", "lib/greet.js": "exports.text = 'from the set'\n",
		}},
	} {
		for _, profile := range []string{policy.SandboxNone, policy.SandboxStrict} {
			t.Run(c.tool+" in "+profile, func(t *testing.T) {
				t.Parallel()
				g := newGate(t, installed(t, c.kind, c.tool))
				if g.sandbox = profile; profile == policy.SandboxStrict {
					g.confine(profile)
				}
				o := g.runSet(g.verifySet("signed", c.entry, c.files))
				if c.kind == runbook.JavaScript && profile != policy.SandboxStrict {
					if bad, ok := asError[*worker.StartError](o.err); !ok || o.Started || !strings.Contains(bad.Error(), "everybody can write") {
						t.Errorf("%v, %+v", o.err, o.Result)
					}
					return
				}
				if g.must(o); o.stdout != "from the set\n" {
					t.Errorf("got %q and %q", o.stdout, o.stderr)
				}
			})
		}
	}
}

// TestAttackCodeAboveTheRunbook: Node loads it from any folder above, and package.json
// there says how the runbook is read.
func TestAttackCodeAboveTheRunbook(t *testing.T) {
	t.Parallel()
	g := newGate(t, installed(t, runbook.JavaScript, "node"))
	for name, text := range map[string]string{"node_modules/evil/index.js": "console.log('EVIL')\n", "package.json": `{"type":"module"}`} {
		path := filepath.Join(g.temp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, profile := range profilesOf() {
		g.sandbox = profile
		v := g.verify("r.js", "try { require('evil') } catch (e) { console.log(e.code) }\n")
		var out buffer
		if _, err := g.worker.Run(t.Context(), worker.Job{Decision: g.record(v), Runbook: v, Stdout: &out}); err != nil || out.String() != "MODULE_NOT_FOUND\n" {
			t.Errorf("%s: %v, %s", profile, err, out.String())
		}
	}
}

// TestAPlainShellScriptIsRunByThePlainShell: the line is verified like all others.
func TestAPlainShellScriptIsRunByThePlainShell(t *testing.T) {
	t.Parallel()
	for first, bash := range map[string]bool{
		"#!/bin/sh": false, "#! /bin/sh": false, "#!/usr/bin/sh -e": false, "#!/usr/bin/env sh": false, "#!/bin/dash": false, "#!/bin/sh\r": true,
		"#!/bin/bash": true, "#!/usr/bin/env bash": true, "": true, "# /bin/sh": true, "#!/bin/shell": true, "#!/evil/bin/sh": true, "#!/bin/bash /bin/sh": true,
		" #!/bin/sh": true,
	} {
		g := newGate(t)
		g.run("r.sh", first+"\nexit 0\n")
		_, bodies := g.records()
		if got, _ := bodies[1]["interpreter"].(string); (filepath.Base(got) == "bash") != bash || (filepath.Base(got) == "sh") == bash {
			t.Errorf("%q is run by %s", first, got)
		}
	}
}

func TestAKindWithoutAnInterpreterIsNotRun(t *testing.T) {
	t.Parallel()
	g := newGate(t, with(runbook.JavaScript, "/bin/sh"))
	for name, want := range map[string]string{
		"p.pl": "worker.yaml", "r.rb": "worker.yaml", // none is looked for
		"encoded.jse": "only .js is run",
	} {
		o := g.run(name, "echo EVIL\n")
		bad, ok := asError[*worker.InterpreterError](o.err)
		if !ok || o.Started || !strings.Contains(bad.Reason, want) || worker.ExitCode(o.Result, o.err) != worker.ExitMissing {
			t.Errorf("%s: %v, %+v", name, o.err, o.Result)
		}
	}
}

func TestInterpretersAreNamedByAbsolutePathAndForKindsThatRun(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for kind, row := range map[runbook.Kind]worker.Interpreter{
		runbook.Bash: {Program: "bash"}, runbook.Python: {}, runbook.Unknown: {Program: "/bin/sh"}, runbook.PowerShellModule: {Program: "/bin/sh"},
		runbook.PowerShellXML: {Program: "/bin/sh"}, runbook.MOF: {Program: "/bin/sh"}, runbook.VBScript: {Program: "/bin/sh"}, runbook.WindowsScript: {Program: "/bin/sh"},
		runbook.Statement: {Program: "/bin/sh"}, runbook.Manifest: {Program: "/bin/sh"},
		runbook.Perl: {Program: "/usr/bin/perl", Options: []string{"evil.pl"}}, runbook.Ruby: {Program: "/usr/bin/ruby", Options: []string{"-"}},
		runbook.JavaScript: {Program: "/usr/bin/node", Options: []string{""}},
	} {
		o := g.options
		o.Interpreters = map[runbook.Kind]worker.Interpreter{kind: row}
		_, err := worker.New(o)
		if _, ok := asError[*worker.InterpreterError](err); !ok {
			t.Errorf("%s by %v: %v", kind, row, err)
		}
	}
}
