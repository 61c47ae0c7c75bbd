package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/config"
)

func TestHowRunbooksAreRunIsRead(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("worker.yaml", []byte(minimal+`run:
  user: 'CONTOSO\svc-runbooks'
  sandbox:
    read: [/srv/data, /opt/tools]
    write: [/var/lib/app]
    limits: {memory: 512MiB, processes: 200, file_size: 1GiB, open_files: 1024, cpu: 10m, tmp: 64MiB}
    cgroup: /writ.slice
interpreters:
  perl: {program: /usr/bin/perl, options: [-w]}
  javascript: {program: /usr/bin/node}
`))
	if err != nil {
		t.Fatal(problems(err))
	}
	run := config.Run{User: `CONTOSO\svc-runbooks`, Sandbox: config.Sandbox{
		Read: []string{"/srv/data", "/opt/tools"}, Write: []string{"/var/lib/app"}, Cgroup: "/writ.slice",
		Limits: config.Limits{Memory: 512 << 20, Processes: 200, FileSize: 1 << 30, OpenFiles: 1024, CPU: 10 * time.Minute, Tmp: 64 << 20},
	}}
	if diff := cmp.Diff(run, got.Run); diff != "" {
		t.Error(diff)
	}
	table := map[string]config.Interpreter{"perl": {Program: "/usr/bin/perl", Options: []string{"-w"}}, "javascript": {Program: "/usr/bin/node"}}
	if diff := cmp.Diff(table, got.Interpreters); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesInHowRunbooksAreRunAreNamed(t *testing.T) {
	t.Parallel()
	sandbox := "run: {sandbox: {"
	for _, tt := range []struct{ text, want string }{
		{"run: {}\n", "run: says nothing"},
		{"run: root\n", "run: want a mapping"},
		{"run: {usr: a}\n", `did you mean "user"?`},
		{"run: {user: 1000}\n", "quote it"},
		{"run: {user: '1000'}\n", "it is a number"},
		{"run: {user: 'A\\B@c'}\n", `it has both`},
		{"run: {user: 'a b'}\n", "want the name of an account"},
		{sandbox + "}}\n", "run.sandbox: says nothing"},
		{sandbox + "read: []}}\n", "run.sandbox.read"},
		{sandbox + "read: [srv]}}\n", "want an absolute path"},
		{sandbox + "read: [/]}}\n", "is everything"},
		{sandbox + "read: [/proc]}}\n", "/proc is never opened"},
		{sandbox + "read: [/tmp]}}\n", "hides what a sandbox has its own of"},
		{sandbox + "write: [/run]}}\n", "hides what a sandbox has its own of"},
		{sandbox + "write: [/dev/sda]}}\n", "/dev is never opened"},
		{sandbox + "write: [/run/writ/x]}}\n", "/run/writ is never opened"},
		{sandbox + "read: [/etc/writ/trust]}}\n", "/etc/writ is never opened"},
		{sandbox + "read: [/a], write: [/a]}}\n", "stands in write, too"},
		{sandbox + "cgroup: x}}\n", "want an absolute path"},
		{sandbox + "limits: {}}}\n", "run.sandbox.limits: says nothing"},
		{sandbox + "limits: {memory: 512}}}\n", "quote it"},
		{sandbox + "limits: {memory: 512M}}}\n", "want a whole number and KiB"},
		{sandbox + "limits: {memory: 0MiB}}}\n", "want a whole number and KiB"},
		{sandbox + "limits: {memory: -1MiB}}}\n", "want a whole number and KiB"},
		{sandbox + "limits: {memory: 9999999999TiB}}}\n", "is too much"},
		{sandbox + "limits: {memory: 15MiB}}}\n", "is too little: want 16384KiB or more"},
		{sandbox + "limits: {tmp: 1KiB}}}\n", "is too little"},
		{sandbox + "limits: {processes: 1}}}\n", "run.sandbox.limits.processes"},
		{sandbox + "limits: {open_files: 2}}}\n", "run.sandbox.limits.open_files"},
		{sandbox + "limits: {cpu: 100ms}}}\n", "want whole seconds"},
		{sandbox + "limits: {cpu: 25h}}}\n", "want whole seconds"},
		{sandbox + "limits: {cpu: x}}}\n", "want whole seconds"},
		{"interpreters: {}\n", "interpreters: says nothing"},
		{"interpreters: []\n", "interpreters: want a mapping"},
		{"interpreters: {perll: {program: /usr/bin/perl}}\n", `did you mean "perl"?`},
		{"interpreters: {vbscript: {program: /usr/bin/perl}}\n", "interpreters.vbscript"},
		{"interpreters: {perl: /usr/bin/perl}\n", "interpreters.perl: want a mapping"},
		{"interpreters: {perl: {}}\n", "interpreters.perl.program: is missing"},
		{"interpreters: {perl: {program: perl}}\n", "want an absolute path"},
		{"interpreters: {perl: {program: /usr/bin/perl, options: [evil.pl]}}\n", "want an option that begins with a dash"},
		{"interpreters: {perl: {program: /usr/bin/perl, options: [\"-\"]}}\n", "want an option"},
		{"interpreters: {perl: {program: /usr/bin/perl, options: [\"--\"]}}\n", "want an option"},
		{"interpreters: {perl: {program: /usr/bin/perl, options: [\"-e\\0\"]}}\n", "control character"},
		{"interpreters: {perl: {program: /usr/bin/perl, options: [" + strings.TrimSuffix(strings.Repeat("-w, ", 21), ", ") + "]}}\n", "interpreters.perl.options"},
	} {
		w, err := config.Parse("worker.yaml", []byte(minimal+tt.text))
		if w != nil || !strings.Contains(problems(err), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.text, problems(err), tt.want)
		}
	}
}
