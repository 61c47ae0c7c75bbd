package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
)

// shimCase is a signer, the keyring with it, and a document by it in a folder of
// its own.
type shimCase struct {
	signer  keyPair
	keyring string
	dir     string
	file    string
	text    string
}

func newShimCase(t *testing.T) *shimCase {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the worker that this is for runs on Linux")
	}
	c := &shimCase{text: "#!/bin/bash\necho ran\n"}
	keys := t.TempDir()
	c.signer = newKeyPair(t, keys, "alice")
	c.keyring = c.signer.keyring
	c.dir = t.TempDir()
	c.file = writeFile(t, filepath.Join(c.dir, "job.sh"), c.document(t))
	return c
}

func (c *shimCase) document(t *testing.T) []byte {
	t.Helper()
	return signed(t, c.signer.entity.Subkeys[0].PrivateKey, c.text, packet.SigTypeText, time.Now())
}

func (c *shimCase) args() []string {
	return []string{"--batch", "--yes", "--decrypt", "--no-default-keyring", "--keyring", c.keyring, "--output", c.file + ".d", c.file}
}

func (c *shimCase) shim(t *testing.T) (code int, said string) {
	t.Helper()
	code, out, said := call(t, append([]string{"gpg-shim"}, c.args()...)...)
	if out != "" {
		t.Errorf("standard output: %q", out)
	}
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "gpg: ") {
			t.Errorf("a line that gpg would not say: %q", line)
		}
	}
	plain(t, "the shim", said)
	return code, said
}

// leaves fails if the folder holds anything but these names.
func (c *shimCase) leaves(t *testing.T, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("the folder holds %q, want %q", got, names)
	}
}

func TestTheShimWritesTheTextOfAValidDocument(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	code, said := c.shim(t)
	if code != 0 || !strings.Contains(said, "is valid: signed by alice") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	c.leaves(t, "job.sh", "job.sh.d")
	info, err := os.Lstat(c.file + ".d")
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got, err := os.ReadFile(c.file + ".d"); err != nil || string(got) != c.text {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTheShimGivesWhatGnuPGGives: for a good document an existing worker runs the
// same bytes as before.
func TestTheShimGivesWhatGnuPGGives(t *testing.T) {
	t.Parallel()
	w := newOldWorker(t)
	w.make(nil, "--quick-generate-key", "alice", "ed25519", "sign", "never")
	document := w.make([]byte("#!/bin/bash\n-x\nFrom here\n\necho a\n\n"), "--clear-sign")
	dir := t.TempDir()
	keybox, err := os.ReadFile(filepath.Join(w.gnupg(), "pubring.kbx"))
	if err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string][]byte{"keyring.gpg": w.make(nil, "--export"), "pubring.kbx": keybox} {
		w.keyring = writeFile(t, filepath.Join(dir, name), ring)
		file := writeFile(t, filepath.Join(dir, "job.sh"), document)
		code, want, _, said := w.decrypt(w.gpg, file)
		if code != 0 {
			t.Fatalf("%s: gpg ends with %d: %s", name, code, said)
		}
		code, got, _, said := w.decrypt(w.shim, file)
		if code != 0 || !bytes.Equal(got, want) {
			t.Errorf("%s: the shim ends with %d and writes %q, gpg %q\n%s", name, code, got, want, said)
		}
		// W9: on refusal gpg leaves the text that nobody signed, the shim nothing.
		writeFile(t, file, bytes.Replace(document, []byte("echo a"), []byte("echo b"), 1))
		if code, left, written, _ := w.decrypt(w.gpg, file); code != 1 || !written || !bytes.Contains(left, []byte("echo b")) {
			t.Errorf("%s: gpg ends with %d and leaves %q", name, code, left)
		}
		if code, left, written, said := w.decrypt(w.shim, file); code != 1 || written || !strings.Contains(said, "tampered") {
			t.Errorf("%s: the shim ends with %d and leaves %q\n%s", name, code, left, said)
		}
	}
}

// TestTheShimHidesNoTamperedAuthenticodeBlock: a document vouches for its text, but
// not against what the text proves of itself.
func TestTheShimHidesNoTamperedAuthenticodeBlock(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	demo := filepath.Join(t.TempDir(), "demo")
	script := writeFile(t, filepath.Join(t.TempDir(), "job.ps1"), []byte("Write-Host 1\r\n"))
	for _, args := range [][]string{
		{"init", demo},
		{"sign", "--key", filepath.Join(demo, "keys/codesign.key.pem"), "--cert", filepath.Join(demo, "keys/codesign.pem"), script},
	} {
		if code, _, said := call(t, args...); code != 0 {
			t.Fatalf("%v: %s", args, said)
		}
	}
	block, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(block), "\r\n", "\n")
	c.file = filepath.Join(c.dir, "job.ps1")
	for name, want := range map[string]struct {
		text string
		code int
	}{
		"no block":              {"Write-Host 1\n", 0},
		"the block of the text": {text, 0},
		"of another text":       {strings.Replace(text, "Host 1", "Host 2", 1), 1},
	} {
		writeFile(t, c.file, signed(t, c.signer.entity.Subkeys[0].PrivateKey, want.text, packet.SigTypeText, time.Now()))
		if code, said := c.shim(t); code != want.code || (code != 0) != strings.Contains(said, "inner-signature") {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, want.code, said)
		}
		if want.code != 0 {
			c.leaves(t, "job.ps1", "job.sh")
		}
	}
}

func TestTheShimAnswersOneCommandLineOnly(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	good := c.args()
	with := func(at int, word string) []string {
		args := slices.Clone(good)
		args[at] = word
		return args
	}
	reordered := slices.Clone(good)
	reordered[0], reordered[1] = reordered[1], reordered[0]
	for name, args := range map[string][]string{
		"nothing":                     {},
		"--version":                   {"--version"},
		"--help":                      {"--help"},
		"-h":                          {"-h"},
		"--verify":                    {"--verify", c.file},
		"another command":             with(2, "--verify"),
		"another order":               reordered,
		"one option less":             good[1:],
		"one option more":             slices.Insert(slices.Clone(good), 2, "--trust-model=always"),
		"two files":                   append(slices.Clone(good), c.file),
		"--yes before all":            append([]string{"--yes"}, good...),
		"options behind the file":     append(slices.Clone(good), "--batch"),
		"the end of options":          slices.Insert(slices.Clone(good), 8, "--"),
		"abbreviated options":         with(2, "--decr"),
		"one dash":                    with(0, "-batch"),
		"a keyring without a folder":  with(5, "keyring.gpg"),
		"a keyring in the home":       with(5, "~/keyring.gpg"),
		"a keyring with a scheme":     with(5, "gnupg-kbx:"+c.keyring),
		"no keyring":                  with(5, ""),
		"another output":              with(7, filepath.Join(c.dir, "other.d")),
		"standard output":             with(7, "-"),
		"the file as the output":      with(7, c.file),
		"no output":                   with(7, ""),
		"no file":                     with(8, ""),
		"standard input":              with(8, "-"),
		"an option as the file":       append(slices.Clone(good[:7]), "--x.d", "--x"),
		"a file of another file's .d": with(8, c.file+"x"),
	} {
		t.Run(name, func(t *testing.T) {
			code, out, said := call(t, append([]string{"gpg-shim"}, args...)...)
			if code != 2 || out != "" || !strings.HasPrefix(said, "gpg: ") || !strings.Contains(said, "gpg: it answers only: gpg --batch --yes --decrypt ") {
				t.Errorf("exit code %d: %s%s", code, out, said)
			}
		})
	}
	c.leaves(t, "job.sh")
}

// TestAProgramNamedGPGIsTheShim and nothing else, whatever it is asked.
func TestAProgramNamedGPGIsTheShim(t *testing.T) {
	t.Parallel()
	args := []string{"run", "--x"}
	for program, want := range map[string][]string{
		"gpg": {"gpg-shim", "run", "--x"}, "/opt/writ/gpg/gpg": {"gpg-shim", "run", "--x"}, "writ": args, "/usr/bin/writ": args, "gpg2": args, "": args,
	} {
		if got := commandLine(program, args); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", program, got, want)
		}
	}
	if got := commandLine("gpg", nil); !slices.Equal(got, []string{"gpg-shim"}) {
		t.Errorf("without arguments: %q", got)
	}
}

// TestTheShimLeavesNothingThatCouldBeTakenForVerified: neither its own, nor what
// lay there before.
func TestTheShimLeavesNothingThatCouldBeTakenForVerified(t *testing.T) {
	t.Parallel()
	tampered := func(t *testing.T, c *shimCase) {
		writeFile(t, c.file, bytes.Replace(c.document(t), []byte("echo ran"), []byte("echo evil"), 1))
	}
	stale := func(t *testing.T, c *shimCase) { writeFile(t, c.file+".d", []byte(evil)) }
	link := func(t *testing.T, c *shimCase) {
		if err := os.Symlink("victim", c.file+".d"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(c.dir, "victim"), []byte("precious"))
	}
	for name, c := range map[string]struct {
		prepare []func(*testing.T, *shimCase)
		code    int
		leaves  []string
	}{
		"a changed document":                           {[]func(*testing.T, *shimCase){tampered}, 1, []string{"job.sh"}},
		"a changed document, and an output before":     {[]func(*testing.T, *shimCase){tampered, stale}, 1, []string{"job.sh"}},
		"a changed document, and a link as the output": {[]func(*testing.T, *shimCase){tampered, link}, 1, []string{"job.sh", "victim"}},
		"a good document, and an output before":        {[]func(*testing.T, *shimCase){stale}, 0, []string{"job.sh", "job.sh.d"}},
		"a good document, and a link as the output":    {[]func(*testing.T, *shimCase){link}, 0, []string{"job.sh", "job.sh.d", "victim"}},
		"no document, and an output before":            {[]func(*testing.T, *shimCase){stale, func(_ *testing.T, c *shimCase) { _ = os.Remove(c.file) }}, 2, []string{}},
		"no keyring, and an output before":             {[]func(*testing.T, *shimCase){stale, func(_ *testing.T, c *shimCase) { c.keyring += ".none" }}, 2, []string{"job.sh"}},
		"the keyring as the output": {[]func(*testing.T, *shimCase){func(t *testing.T, c *shimCase) {
			if err := os.Rename(c.keyring, c.file+".d"); err != nil {
				t.Fatal(err)
			}
			c.keyring = c.file + ".d"
		}}, 2, []string{"job.sh", "job.sh.d"}},
		"a folder as the output":                {[]func(*testing.T, *shimCase){func(_ *testing.T, c *shimCase) { _ = os.Mkdir(c.file+".d", 0o700) }}, 2, []string{"job.sh", "job.sh.d"}},
		"a link in the place of the document":   {[]func(*testing.T, *shimCase){func(_ *testing.T, c *shimCase) { _ = os.Rename(c.file, c.file+"x"); _ = os.Symlink(c.file+"x", c.file) }}, 2, []string{"job.sh", "job.shx"}},
		"a document that is too large":          {[]func(*testing.T, *shimCase){stale, func(_ *testing.T, c *shimCase) { _ = os.Truncate(c.file, runbook.MaxSize+1) }}, 2, []string{"job.sh"}},
		"a folder in the place of the document": {[]func(*testing.T, *shimCase){func(_ *testing.T, c *shimCase) { _ = os.Remove(c.file); _ = os.Mkdir(c.file, 0o700) }}, 2, []string{"job.sh"}},
		"a detached signature, which needs a file more": {[]func(*testing.T, *shimCase){func(t *testing.T, c *shimCase) {
			writeFile(t, c.file, []byte(c.text))
			writeFile(t, c.file+".sig", c.signer.detach(t, []byte(c.text)))
		}}, 2, []string{"job.sh", "job.sh.sig"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShimCase(t)
			for _, prepare := range c.prepare {
				prepare(t, s)
			}
			code, said := s.shim(t)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, said)
			}
			s.leaves(t, c.leaves...)
			if info, err := os.Lstat(s.file + ".d"); c.code == 0 && (err != nil || !info.Mode().IsRegular()) {
				t.Errorf("the output is no file: %v", err)
			}
			if data, err := os.ReadFile(filepath.Join(s.dir, "victim")); err == nil && string(data) != "precious" {
				t.Errorf("it wrote through the link: %q", data)
			}
		})
	}
}

// TestTheShimWantsAKeyringThatOthersCannotWrite: whoever may write it decides who
// signs.
func TestTheShimWantsAKeyringThatOthersCannotWrite(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *shimCase){
		"a file that others may write":   func(t *testing.T, c *shimCase) { chmod(t, c.keyring, 0o666) },
		"a file that a group may write":  func(t *testing.T, c *shimCase) { chmod(t, c.keyring, 0o660) },
		"a folder that others may write": func(t *testing.T, c *shimCase) { chmod(t, filepath.Dir(c.keyring), 0o777) },
		"a link": func(t *testing.T, c *shimCase) {
			if err := os.Symlink(c.keyring, c.keyring+".link"); err != nil {
				t.Fatal(err)
			}
			c.keyring += ".link"
		},
		"a folder":      func(_ *testing.T, c *shimCase) { c.keyring = filepath.Dir(c.keyring) },
		"an empty file": func(t *testing.T, c *shimCase) { writeFile(t, c.keyring, nil) },
		"no keyring":    func(t *testing.T, c *shimCase) { writeFile(t, c.keyring, []byte("hello\n")) },
		"secret keys": func(t *testing.T, c *shimCase) {
			secret, err := newkeys.ArmoredSecret(c.signer.entity, nil)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, c.keyring, secret)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newShimCase(t)
			spoil(t, c)
			if code, said := c.shim(t); code != 2 || !strings.Contains(said, "trust") {
				t.Errorf("exit code %d: %s", code, said)
			}
			c.leaves(t, "job.sh")
		})
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Every case of the shared vectors, as the worker would hand it over.
func TestTheShimJudgesTheVectors(t *testing.T) {
	t.Parallel()
	shared := testenv.Shared(t, "vectors/openpgp")
	index, err := os.ReadFile(filepath.Join(shared, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var ring []byte
	for _, name := range []string{"trusted-gpg.pgp", "trusted-go.pgp"} {
		data, err := os.ReadFile(filepath.Join(shared, "keys", name))
		if err != nil {
			t.Fatal(err)
		}
		ring = append(ring, data...)
	}
	c := newShimCase(t)
	c.keyring = writeFile(t, filepath.Join(filepath.Dir(c.keyring), "trusted.pgp"), ring)
	counts := map[string]int{}
	for line := range strings.Lines(string(index)) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if fields[0] == "file" {
			continue
		}
		document, err := os.ReadFile(filepath.Join(shared, filepath.FromSlash(fields[0])))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, c.file, document)
		writeFile(t, c.file+".d", []byte("stale"))
		code := c.judgedAt(t, testenv.VectorTime())
		output, err := os.ReadFile(c.file + ".d")
		counts[fields[2]]++
		switch {
		case (code == 0) != (err == nil):
			t.Errorf("%s: exit code %d and the output %q", fields[0], code, output)
		case fields[2] == "accept" && code != 0, fields[2] == "reject" && code == 0:
			t.Errorf("%s: %s, and the exit code is %d", fields[0], fields[2], code)
		case fields[2] == "accept":
			want, err := os.ReadFile(filepath.Join(shared, strings.TrimSuffix(filepath.FromSlash(fields[0]), ".asc")+".want"))
			if err != nil {
				t.Fatal(err)
			}
			if want = bytes.TrimSuffix(want, []byte("?")); !bytes.Equal(output, want) { // "?" is for "or without its last line end"
				t.Errorf("%s: %q, want %q", fields[0], output, want)
			}
		}
		_ = os.Remove(c.file + ".d")
	}
	if counts["accept"] < 20 || counts["reject"] < 60 {
		t.Errorf("the index has %v", counts)
	}
}

func (c *shimCase) judgedAt(t *testing.T, now time.Time) int {
	t.Helper()
	var errs bytes.Buffer
	a := newApp()
	a.stdout, a.stderr, a.now = &errs, &errs, func() time.Time { return now }
	code := execute(t.Context(), a, append([]string{"gpg-shim"}, c.args()...))
	plain(t, "the shim", errs.String())
	return code
}

// TestAnExistingWorkerIsMadeSafeByThePATH: a stand-in for the worker runs what an
// attacker signs with nothing, until a link named gpg comes first in its PATH.
func TestAnExistingWorkerIsMadeSafeByThePATH(t *testing.T) {
	t.Parallel()
	python := testenv.Tool(t, "python3")
	w := newOldWorker(t)
	w.make(nil, "--quick-generate-key", "alice", "ed25519", "sign", "never")
	other := writeFile(t, filepath.Join(t.TempDir(), "other.gpg"), w.make(nil, "--export", "alice"))
	writeFile(t, w.keyring, w.make(nil, "--export", "alice"))
	good := w.make([]byte("#!/bin/bash\necho good\nexit 7\n"), "--clear-sign")
	literal := w.make([]byte(evil), "--armor", "--store")
	standin := filepath.Join(testenv.Root(t), "cmd", "writ", "testdata", "worker", "standin.py")
	run := func(path string, definition []byte, keyrings string) (code int, out, errs string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), python, standin, w.sandbox, "deploy", "0cbd1fbb", keyrings)
		cmd.Env = []string{"HOME=" + w.home, "PATH=" + path}
		cmd.Stdin = bytes.NewReader(definition)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
	system := os.Getenv("PATH")
	safe := filepath.Dir(w.shim) + string(os.PathListSeparator) + system
	if code, out, errs := run(system, literal, w.keyring); code != 0 || out != "pwned\n" {
		t.Errorf("with GnuPG the worker runs no unsigned text any more: %d %q\n%s", code, out, errs)
	}
	if code, out, errs := run(safe, literal, w.keyring); code != 1 || out != "" || !strings.Contains(errs, "trace 10019: gpg: writ: ") || !strings.Contains(errs, "is unsigned") {
		t.Errorf("unsigned text: %d %q\n%s", code, out, errs)
	}
	for _, definition := range [][]byte{good, bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n"))} {
		if code, out, errs := run(safe, definition, w.keyring); code != 7 || out != "good\n" {
			t.Errorf("a good document: %d %q\n%s", code, out, errs)
		}
	}
	if code, out, errs := run(safe, good, filepath.Join(w.home, "none.gpg")+", "+other); code != 7 || out != "good\n" {
		t.Errorf("a good document, by the second keyring: %d %q\n%s", code, out, errs)
	}
	if code, out, _ := run(safe, bytes.Replace(good, []byte("good"), []byte("evil"), 1), w.keyring); code != 1 || out != "" {
		t.Errorf("a changed document: %d %q", code, out)
	}
}

// TestTheShimWritesWhatItVerifiedWhileTheFileChanges: W10. What the worker does
// with its path later is not in the shim's hands; what the shim wrote is.
func TestTheShimWritesWhatItVerifiedWhileTheFileChanges(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	good := c.document(t)
	bad := bytes.Replace(good, []byte("echo ran"), []byte("echo evil"), 1)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := os.WriteFile(c.file+".new", [][]byte{good, bad}[i%2], 0o600); err == nil {
				_ = os.Rename(c.file+".new", c.file)
			}
		}
	}()
	said := map[int]int{}
	for range 200 {
		code, _ := c.shim(t)
		said[code]++
		output, err := os.ReadFile(c.file + ".d")
		if valid := code == 0; valid != (err == nil) || valid && string(output) != c.text {
			t.Fatalf("exit code %d, and the output is %q", code, output)
		}
	}
	close(stop)
	<-done
	if said[0] == 0 || said[gpgBadSignature] == 0 {
		t.Logf("the file was never seen in both states: %v", said)
	}
}

// TestTheShimHoldsAFileAgainstWhatItWasSignedAs: W11. gpg takes a document under
// any name, and the worker chooses the interpreter by that.
func TestTheShimHoldsAFileAgainstWhatItWasSignedAs(t *testing.T) {
	t.Parallel()
	c := newShimCase(t)
	secret, err := newkeys.ArmoredSecret(c.signer.entity, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := writeFile(t, filepath.Join(filepath.Dir(c.keyring), "secret.asc"), secret)
	source := writeFile(t, filepath.Join(t.TempDir(), "deploy.sh"), []byte(c.text))
	if code, out, errs := call(t, "sign", "--key", key, source); code != exitYes {
		t.Fatalf("sign: %s%s", out, errs)
	}
	document, err := os.ReadFile(source + ".asc")
	if err != nil {
		t.Fatal(err)
	}
	const guid = "0cbd1fbb-5a9e-4c83-8f6a-3b1d8e0a9c77"
	for name, c := range map[string]struct {
		file     string
		document []byte
		code     int
		says     string
	}{
		"the name and a version":           {"deploy" + guid + ".sh", document, 0, ""},
		"the name and another sort of end": {"deploy-17.sh", document, 0, ""},
		"the name alone":                   {"deploy.sh", document, 0, ""},
		"another runbook":                  {"erase" + guid + ".sh", document, 2, `it was signed as "deploy.sh"`},
		"a longer name":                    {"deploy-all" + guid + ".sh", document, 2, `it was signed as "deploy.sh"`},
		"a shorter name":                   {"dep" + guid + ".sh", document, 2, `it was signed as "deploy.sh"`},
		"another runbook, without version": {"erase.sh", document, 2, `it was signed as "deploy.sh"`},
		"another interpreter":              {"deploy" + guid + ".py", document, 2, "it was signed as bash, and the worker would run it as python"},
		"no interpreter":                   {"deploy" + guid, document, 2, "it was signed as bash, and the worker would run it as unknown"},
		"a document that claims nothing":   {"erase" + guid + ".py", c.document(t), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShimCase(t)
			s.keyring = filepath.Join(filepath.Dir(key), "alice.asc")
			if err := os.Remove(s.file); err != nil {
				t.Fatal(err)
			}
			s.file = writeFile(t, filepath.Join(s.dir, c.file), c.document)
			code, said := s.shim(t)
			if code != c.code || !strings.Contains(said, c.says) || code != 0 && !strings.Contains(said, "claim-contradicts") {
				t.Errorf("exit code %d: %s", code, said)
			}
			if code == 0 {
				s.leaves(t, c.file, c.file+".d")
			} else {
				s.leaves(t, c.file)
			}
		})
	}
}
