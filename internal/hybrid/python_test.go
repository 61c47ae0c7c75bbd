package hybrid_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/hybrid"
	"github.com/runwrit/writ/internal/testenv"
)

// reader reads each of a list of files by Python's own ConfigParser, as the
// worker makes one, and says all that it holds; null for one that it refuses.
const reader = `
import configparser, json, os, sys, tempfile, warnings
warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
path = os.path.join(tempfile.mkdtemp(dir=os.environ["TMPDIR"]), "worker.conf")
said = []
for text in asked["files"]:
    with open(path, "wb") as f:
        f.write(text.encode("utf-8"))
    config = configparser.ConfigParser(asked["defaults"])
    try:
        config.read(path, encoding="utf-8")
    except configparser.Error:
        said.append(None)
        continue
    values, truths = {}, {}
    for section in config.sections():
        values[section], truths[section] = {}, {}
        for option in config.options(section):
            try:
                values[section][option] = config.get(section, option)
            except configparser.Error:
                values[section][option] = None
            try:
                truths[section][option] = config.getboolean(section, option)
            except (configparser.Error, ValueError):
                truths[section][option] = None
    said.append({"Values": values, "Truths": truths})
json.dump(said, sys.stdout)
`

var defaults = map[string]string{"enforce_runbook_signature_validation": "true", "gpg_public_keyring_path": ""}

func askPython(t *testing.T, files []string) []*hybrid.Whole {
	t.Helper()
	asked, err := json.Marshal(map[string]any{"files": files, "defaults": defaults})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testenv.Tool(t, "python3"), "-I", "-c", reader)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdin = bytes.NewReader(asked)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var said []*hybrid.Whole
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatal(err)
	}
	if len(said) != len(files) {
		t.Fatalf("Python answered %d of %d", len(said), len(files))
	}
	return said
}

// agree compares what Python makes of each file with what we do.
func agree(t *testing.T, files []string) {
	t.Helper()
	refused := 0
	for i, want := range askPython(t, files) {
		got, err := hybrid.ReadWhole([]byte(files[i]), defaults)
		if err != nil && strings.Contains(err.Error(), "not ASCII") {
			continue // that is not known, and said
		}
		if want == nil {
			refused++
		}
		if (err != nil) != (want == nil) {
			t.Errorf("%q: Python reads it: %v, we: %v", files[i], want != nil, err)
			continue
		}
		if diff := cmp.Diff(want, got); want != nil && diff != "" {
			t.Errorf("%q: Python reads -, we read +\n%s", files[i], diff)
		}
	}
	t.Logf("%d files, of which Python refuses %d", len(files), refused)
}

func TestAFileIsReadAsPythonReadsIt(t *testing.T) {
	t.Parallel()
	var files []string
	add := func(list ...string) { files = append(files, list...) }
	const o = "[worker-optional]\n"
	for _, word := range []string{
		"1", "0", "yes", "no", "true", "false", "on", "off", "True", "FALSE", "tRuE", "Yes", "oN", "y", "n", "t", "f", "enabled", "", " ", "2", "01", "true ", "\ttrue\u00a0",
		"\"true\"", "'false'", "false # why", "false ; why", "false#", "truetrue", "true\u200b", "\uff11", "fal\u017fe", "0.0", "+1", "none", "null",
	} {
		add(o+"enforce_runbook_signature_validation = "+word+"\n", o+"enforce_runbook_signature_validation:"+word, o+"ENFORCE_Runbook_signature_validation="+word+"\n\n\n")
	}
	add(
		"", "\n", "#", "x", "x=1", "[a]", "[a]\n", "[]\n", "[]]\nx=1", "[a]]\nx=1", "[a] b\nx=1", "[a]=b\nx=1", "[ a ]\nx=1", " [a]\n x=1\n y=2", " [a]\nx=1", "[a]\n[a]\n",
		"[a]\nx=1\n[b]\nx=1\n[a]\ny=1", "[a]\nx=1\nX=2", "[a]\nx=1\nx:2", "[DEFAULT]\nx=1\n[a]\n[DEFAULT]\ny=2\n", "[DEFAULT]\nx=1\nx=2\n[a]", "[DEFAULT]\nx=1\n[DEFAULT]\nx=2\n[a]", "[default]\nx=1\n[a]",
		"[DEFAULT]\nenforce_runbook_signature_validation=no\n"+o, o+"enforce_runbook_signature_validation=no\n[DEFAULT]\nenforce_runbook_signature_validation=yes\n",
		"[a]\nx", "[a]\n=1", "[a]\n:", "[a]\n = 1\n", "[a]\nx=", "[a]\nx=\n y\n z", "[a]\nx= a\n  b\n c\n", "[a]\nx=a\n\n b\n", "[a]\nx=a\n \n b\n", "[a]\nx=a\n# c\n b\n", "[a]\nx=a\n  # c\n b\n", "[a]\nx=a\n ;c\n b=2\n",
		"[a]\n x=1\n y=2\n", "[a]\n x=1\n  y=2\n z=3\n", "[a]\n  x=1\n y=2\n", "[a]\nx=1\n[b]\n y=2\n", "[a]\nx=1\n [b]\n", "[a]\nx=1\n  [b]\ny=2", "[a]\nx=1\n\ty=2\n", "[a]\n\tx=1\n        y=2\n",
		"[a]\nx=1\r\ny=2\r\n", "[a]\rx=1\ry=2", "[a]\nx=1\n\ry=2", "[a]\nx=1\u0085y=2\n", "[a]\nx=1\u2028y=2", "[a]\nx=1\x0by=2\n", "[a]\nx=1\x0c\n\x0c\n", "[a]\nx=\x1c1\x1f\n", "[a]\n\x1cx=1\n\x1d\x1dy=2\n", "[a]\nx=\x00\n",
		"\ufeff[a]\nx=1", "[a]\n\ufeffx=1", "[a]\nx=\ufeff1", "[a]\n\u00a0x=1\n y=2", "[a]\nx=1\n\u3000y=2\n",
		"[a]\nx=%%\n", "[a]\nx=%\n", "[a]\nx=100%\n", "[a]\nx=%(y)s\ny=1", "[a]\nx=%(Y)s\ny=1", "[a]\nx=%(y)\ny=1", "[a]\nx=%()s", "[a]\nx=%(y)s", "[a]\nx=%(x)s", "[a]\nx=%(y)s\ny=%(x)s", "[a]\nx=a%(y)sb%(y)s%%\ny=%%",
		"[a]\nx=%(y)s\n[DEFAULT]\ny=2", "[a]\nx=%(y)s\n[b]\ny=2", "[a]\nx=%(y\n z)s\ny\n=1", "[a]\nx=%(y z)s\ny z=1", "[a]\nx=%s", "[a]\nx=%(a)s)s\na=1", "[a]\nx=%(enforce_runbook_signature_validation)s",
		o+"enforce_runbook_signature_validation = %(sure)s\nsure = FALSE\n", o+"gpg_public_keyring_path = /a, /b ,\n  /c\n,,\n",
		"[a]\n; x=1\n#y=2\nz=1;2\nw=1 #2\n", "[a]\nx y = 1\n", "[a]\nx = y = z\n", "[a]\nx : y = z\n", "[a]\nx = y : z\n", "[a]\nx\t\t:=\n", "[a]\n[b=1\n", "[a]\n[b=]1\n", "[a]\nb]=1\n", "[a\nx=1\n", "a]\nx=1\n",
		"[a]\nx=1\n  [a]\n", "[a]\n  [a]\n", "rem x\n[a]\n", "[a]\nrem x\n", "[a]\nx=1\n---\n", "[a]\nx=1\n <<<<<<< y\n",
	)
	deep := "[a]\nx0=1\n"
	for i := range 14 {
		deep += "x" + strconv.Itoa(i+1) + "=%(x" + strconv.Itoa(i) + ")s\n"
	}
	add(deep)
	agree(t, files)
}

// parts are what the files of the next test are made of.
var parts = []string{
	"\n", "\n", "\n", "\r\n", "\r", " ", "  ", "\t", "=", ":", " = ", "[", "]", "[a]", "[a]\n", "[b]\n", "[worker-optional]\n", "[DEFAULT]\n", "#", ";", "%", "%%", "%(x)s", "%(y)s", "%(", ")s",
	"x", "y", "Y", "x=", "y = ", "x = 1\n", "y: false\n", "enforce_runbook_signature_validation", "Enforce_Runbook_Signature_Validation = ", "True", "off", "no", "1", "\n ", "\n  ", "\n\t", "\n\n", "\n# c\n", "\n ;c\n",
	"\u00a0", "\u0085", "\u2028", "\x1c", "\x0b", "\x00", "\ufeff", "\u00e9", "\u0130",
}

// lines are what most of the files are made of: of parts alone Python refuses most.
var lines = []string{
	"x = 1", "y: 2", "Z=%(x)s", "w = %(y)s-%(z)s", "v=100%%", "u = %(none)s", "t=", " x = 1", "  y = 2", "\tq = a", "r = a, b ,", " c", "\t\td", "   e = f", "", "", " ", "# c", " ; c", "[b]", " [c]", "[DEFAULT]",
	"enforce_runbook_signature_validation = Off", "ENFORCE_runbook_signature_validation: yes", " enforce_runbook_signature_validation = true", "gpg_public_keyring_path = /a,/b", "[d] e", "s = [t]", "p = q : r", "o : p = q",
	"n = \u00a0m\u00a0", "\u00a0l = 1", "k=%(enforce_runbook_signature_validation)s", "j = %%(x)s", "i=%",
}

// TestRandomFilesAreReadAsPythonReadsThem reads as many files as
// WRIT_PYTHON_FILES says, or a few.
func TestRandomFilesAreReadAsPythonReadsThem(t *testing.T) {
	t.Parallel()
	count := 1500
	if n, err := strconv.Atoi(os.Getenv("WRIT_PYTHON_FILES")); err == nil {
		count = n
	}
	seed := uint64(6)
	if s, err := strconv.ParseUint(os.Getenv("WRIT_PYTHON_SEED"), 10, 64); err == nil {
		seed = s
	}
	random := rand.New(rand.NewPCG(seed, 0))
	files := make([]string, count)
	for i := range files {
		var b strings.Builder
		if random.IntN(8) > 0 {
			b.WriteString("[a]\n")
		}
		for n := random.IntN(24); n > 0; n-- {
			if i%4 == 0 {
				b.WriteString(parts[random.IntN(len(parts))])
			} else {
				b.WriteString(lines[random.IntN(len(lines))] + "\n")
			}
		}
		files[i] = b.String()
	}
	agree(t, files)
}
