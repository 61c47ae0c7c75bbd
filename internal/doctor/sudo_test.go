//go:build unix

package doctor_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/doctor"
)

// sudoers is what cvtsudoers says of a file, as far as it concerns us.
type sudoers struct {
	Defaults []struct {
		Binding []map[string]any
		Options []map[string]any
	}
	UserAliases map[string][]map[string]any `json:"User_Aliases"`
	UserSpecs   []struct {
		UserList  []map[string]any                     `json:"User_List"`
		CmndSpecs []struct{ Options []map[string]any } `json:"Cmnd_Specs"`
	} `json:"User_Specs"`
}

func (s *sudoers) has(list []map[string]any, name string, depth int) bool {
	in := false
	for _, item := range list {
		fits := false
		for kind, value := range item {
			switch kind {
			case "username":
				fits = value == "ALL" || value == name
			case "usergroup":
				fits = value == "wheel"
			case "userid":
				fits = value == float64(1000)
			case "usergid":
				fits = value == float64(1000)
			case "useralias":
				fits = depth < 20 && s.has(s.UserAliases[value.(string)], name, depth+1)
			}
			if fits {
				break
			}
		}
		if fits {
			in = item["negated"] != true
		}
	}
	return in
}

func unasking(options []map[string]any) bool {
	return slices.ContainsFunc(options, func(o map[string]any) bool { return o["authenticate"] == false })
}

func (s *sudoers) unasked(name string) bool {
	for _, d := range s.Defaults {
		if unasking(d.Options) && (len(d.Binding) == 0 || s.has(d.Binding, name, 0)) {
			return true
		}
	}
	for _, u := range s.UserSpecs {
		for _, c := range u.CmndSpecs {
			if unasking(c.Options) && s.has(u.UserList, name, 0) {
				return true
			}
		}
	}
	return false
}

// TestSudoLetsNobodyThroughWhomWeDoNotSee asks sudo's own reader, whose path is
// in WRIT_CVTSUDOERS, about random files. One finding too many is none of its
// business.
func TestSudoLetsNobodyThroughWhomWeDoNotSee(t *testing.T) {
	t.Parallel()
	program := os.Getenv("WRIT_CVTSUDOERS")
	if program == "" {
		t.Skip("skipped: WRIT_CVTSUDOERS does not say where cvtsudoers is")
	}
	random := rand.New(rand.NewPCG(9, 0))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	users := func() string {
		var b strings.Builder
		b.WriteString(pick("", "", "", "!", "!!", "! "))
		b.WriteString(pick("a", "b", "a", "c", "%wheel", "%adm", "#1000", "#1001", "%#1000", "ALL", "X", "Y", "Z", `"a"`, `\a`, `"%wheel"`, "+net"))
		return b.String()
	}
	list := func() string {
		out := users()
		for random.IntN(3) == 0 {
			out += pick(",", ", ", " , ", " ,", ",\\\n  ") + users()
		}
		return out
	}
	rule := func() string {
		out := list() + pick(" ", "\t", "  ", " \\\n ") + pick("ALL", "h1,h2", "ALL , !h") + pick("=", " = ", "\\\n=")
		for {
			out += pick("", "(ALL) ", "(root:ALL)", "( a , b ) ", "(: g)") + pick("", "", "NOPASSWD:", "NOPASSWD: ", "NOPASSWD : ", "NOPASSWD\t:", "PASSWD: ", "NOEXEC: NOPASSWD:", "SETENV:NOPASSWD:", "NOPASSWD: PASSWD: ") +
				pick("ALL", "/bin/x", "/bin/x a\\=b", "!/bin/y", "sudoedit /etc/x", "C")
			if random.IntN(3) > 0 {
				return out
			}
			out += pick(", ", ",", " : ALL = ", ":h3=")
		}
	}
	files, both, only := 0, 0, 0
	for range 3000 {
		var b strings.Builder
		for range 1 + random.IntN(5) {
			switch random.IntN(10) {
			case 0:
				b.WriteString("User_Alias " + pick("X", "Y", "Z") + pick("=", " = ") + list() + pick("", "", " : "+pick("X", "Y", "Z")+" = "+list()))
			case 1:
				b.WriteString(pick("Defaults", "Defaults:"+list(), "Defaults>root", "Defaults@h") + " " + pick("!authenticate", "authenticate", "env_reset, !authenticate", "!lecture,!authenticate", "! authenticate"))
			case 2:
				b.WriteString(pick("# "+rule(), "#", "", "Cmnd_Alias C = /bin/c", "Runas_Alias R = a : Q = b", "#1000 ALL=NOPASSWD:ALL"))
			default:
				b.WriteString(rule() + pick("", "", " # why", "#why", " \\"))
			}
			b.WriteString(pick("\n", "\n", "\n", "\n\n", "\r\n"))
		}
		cmd := exec.Command(program, "-f", "json")
		cmd.Stdin = strings.NewReader(b.String())
		out, err := cmd.Output()
		if err != nil || len(bytes.TrimSpace(out)) == 0 {
			continue
		}
		var s sudoers
		if err := json.Unmarshal(out, &s); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		files++
		got, err := doctor.Unasked([]byte(b.String()), "a", "b")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			switch theirs, ours := s.unasked(name), slices.Contains(got, name); {
			case theirs && !ours:
				t.Errorf("sudo asks %s for no password in\n%s\n%s", name, b.String(), out)
			case theirs:
				both++
			case ours:
				only++
				t.Logf("one too many for %s:\n%s", name, b.String())
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d files that sudo takes: %d found by both, %d by us only", files, both, only)
	if files < 300 {
		t.Error("too few")
	}
}
