package hybrid_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/hybrid"
	"github.com/runwrit/writ/internal/testenv"
)

// conf is a configuration as register scripts write it; more is appended to its
// optional section.
func conf(more string) string {
	return `[worker-required]
jrds_cert_path = /home/nxautomation/state/worker_diy.crt
jrds_key_path = /home/nxautomation/state/worker_diy.key
jrds_base_uri = https://eus2-jobruntimedata-prod-su1.azure-automation.net
account_id = 11111111-2222-3333-4444-555555555555
machine_id = 66666666-7777-8888-9999-000000000000
hybrid_worker_group_name = web
working_directory_path = /home/nxautomation/run
[registration-metadata]
registration_endpoint = https://example.test
[metadata]
worker_type = diy
is_azure_vm = False
[worker-optional]
` + more
}

func parse(t *testing.T, text string) *hybrid.Conf {
	t.Helper()
	c, err := hybrid.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAConfigurationIsReadWithTheWorkersDefaults(t *testing.T) {
	t.Parallel()
	c := parse(t, conf("gpg_public_keyring_path = /a/ring.gpg, ,/b.kbx,\n"))
	want := &hybrid.Conf{
		Enforcement: hybrid.EnforcementOn, Keyrings: []string{"/a/ring.gpg", "/b.kbx"},
		MachineID: "66666666-7777-8888-9999-000000000000", Group: "web", AccountID: "11111111-2222-3333-4444-555555555555",
		WorkingDirectory: "/home/nxautomation/run",
		CertPath:         "/home/nxautomation/state/worker_diy.crt", KeyPath: "/home/nxautomation/state/worker_diy.key",
		BaseURI: "https://eus2-jobruntimedata-prod-su1.azure-automation.net", WorkerType: "diy", VMID: "Unknown",
		Unread: []hybrid.Setting{{Section: "registration-metadata", Option: "registration_endpoint", Line: 10}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestEnforcementIsWhatPythonTakesItFor(t *testing.T) {
	t.Parallel()
	const option = "enforce_runbook_signature_validation"
	for name, c := range map[string]struct {
		text string
		want hybrid.Enforcement
	}{
		"not said":                        {conf(""), hybrid.EnforcementOn},
		"said in capitals":                {conf(strings.ToUpper(option) + " = FALSE"), hybrid.EnforcementOff},
		"0":                               {conf(option + ":0"), hybrid.EnforcementOff},
		"off for all sections":            {"[DEFAULT]\n" + option + " = no\n" + conf(""), hybrid.EnforcementOff},
		"on for its own section":          {"[DEFAULT]\n" + option + " = no\n" + conf(option+"=on"), hybrid.EnforcementOn},
		"off by a reference":              {conf(option + " = %(x)s\nx = Off"), hybrid.EnforcementOff},
		"off in another section":          {conf("[else]\n" + option + " = off"), hybrid.EnforcementOn},
		"behind a comment":                {conf("# " + option + " = off"), hybrid.EnforcementOn},
		"with a comment on the same line": {conf(option + " = true # sure"), hybrid.EnforcementUnknown},
		"going on in the next line":       {conf(option + " = true\n  debug_traces = false"), hybrid.EnforcementUnknown},
		"disabled, a word of nobody's":    {conf(option + " = disabled"), hybrid.EnforcementUnknown},
		"its section missing":             {strings.Replace(conf(""), "[worker-optional]", "[worker_optional]", 1), hybrid.EnforcementUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parse(t, c.text)
			if got.Enforcement != c.want {
				t.Errorf("got %v, want %v (%v)", got.Enforcement, c.want, got.Problems)
			}
			if (got.Enforcement == hybrid.EnforcementUnknown) != (len(got.Problems) > 0) {
				t.Errorf("problems: %v", got.Problems)
			}
		})
	}
}

func TestWhatKeepsTheWorkerFromStartingIsAProblem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"a required option missing": {"machine_id", "machineid", "[worker-required] machine_id is missing"},
		"a section missing":         {"[metadata]", "[meta]", "[metadata] is_azure_vm is missing: there is no such section"},
		"a number that is none":     {"[worker-optional]\n", "[worker-optional]\njrds_polling_frequency = 30s\n", `line 15: [worker-optional] jrds_polling_frequency is "30s", which is no number to Python`},
		"a boolean that is none":    {"[worker-optional]\n", "[worker-optional]\ndebug_traces = verbose\n", `line 15: [worker-optional] debug_traces is "verbose", which is no boolean to Python`},
		"a lone percent sign":       {"= web", "= 100%", `line 7: [worker-required] hybrid_worker_group_name has a "%" that is neither "%%" nor a reference "%(name)s"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said []string
			for _, p := range parse(t, strings.Replace(conf(""), c.old, c.new, 1)).Problems {
				said = append(said, p.Error())
			}
			if !strings.Contains(strings.Join(said, "\n"), c.want) {
				t.Errorf("got %q, want %q", said, c.want)
			}
		})
	}
}

func TestWhatPythonDoesNotReadIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"an option twice":        {conf("debug_traces=1\nDebug_Traces=0\n"), `line 16: the option "debug_traces" is there already`},
		"a section twice":        {conf("[metadata]\n"), `line 15: the section "metadata" is there already`},
		"a line before all":      {"x=1\n", "line 1: stands before the first [section]"},
		"a line of nothing":      {conf("enforce\n"), "line 15: is neither a [section] nor an option with a value"},
		"bytes that are no text": {conf("x = \xff"), "is not UTF-8"},
		"a name not in ASCII":    {conf("\u212aey = 1"), "line 15: has a name that is not ASCII"},
		"too much":               {strings.Repeat("#\n", hybrid.MaxSize), "has more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := hybrid.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestAttackReferencesThatGrow: ten levels of a hundred references each would
// take Python for ever.
func TestAttackReferencesThatGrow(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"", "x"} {
		var b strings.Builder
		b.WriteString("a0 = " + seed + "\n")
		for level := range 9 {
			b.WriteString("a" + string(rune('1'+level)) + " = " + strings.Repeat("%(a"+string(rune('0'+level))+")s", 100) + "\n")
		}
		var c *hybrid.Conf
		took := testenv.CPUTime(t, func() { c = parse(t, conf("gpg_public_keyring_path = %(a9)s\n"+b.String())) })
		if len(c.Problems) == 0 || !strings.Contains(c.Problems[0].Error(), "becomes too long by its references") {
			t.Errorf("got %v", c.Problems)
		}
		if took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(conf("")))
	f.Add([]byte(conf("enforce_runbook_signature_validation = %(x)s\nx=\n no\n")))
	f.Add([]byte("[DEFAULT]\nx=%(x)s\n[a]\ny=%(x)s\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := hybrid.Parse(data)
		if err != nil {
			return
		}
		if (c.Enforcement == hybrid.EnforcementUnknown) && len(c.Problems) == 0 {
			t.Error("enforcement is not known, and nothing says why")
		}
		for _, k := range c.Keyrings {
			if strings.TrimSpace(k) == "" || strings.Contains(k, ",") {
				t.Errorf("keyring %q", k)
			}
		}
	})
}
