package format_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// folder makes a project of files by path, without a manifest.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listing is the text of the manifest of a folder.
func listing(t testing.TB, dir string) string {
	t.Helper()
	tree, err := manifest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	list, err := manifest.Collect(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(list.Render())
}

// signedFolder is a project with its manifest, signed by key.
func signedFolder(t testing.TB, key *signer.Key, files map[string]string) string {
	t.Helper()
	dir := folder(t, files)
	putManifest(t, dir, clearsigned(t, runbook.ManifestName, listing(t, dir), key))
	return dir
}

func putManifest(t testing.TB, dir string, document []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, manifest.Name), document, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readSet(t testing.TB, dir, entry string) *runbook.Runbook {
	t.Helper()
	rb, err := format.ReadSet(dir, entry)
	if err != nil {
		t.Fatal(err)
	}
	return rb
}

// projectVerifier knows every format.
func projectVerifier(t testing.TB, trust *verifier.TrustStore) *verifier.Verifier {
	t.Helper()
	return formatsVerifier(t, trust, format.NewAuthenticode(), format.NewClearsign(), format.NewDetached(), format.NewManifest())
}

func formatsVerifier(t testing.TB, trust *verifier.TrustStore, formats ...verifier.Format) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(trust, verifier.Options{Formats: formats, Now: func() time.Time { return clearsignTime }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func inspected(t testing.TB, v *verifier.Verifier, rb *runbook.Runbook) *verifier.Report {
	t.Helper()
	report, err := v.Inspect(t.Context(), rb)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func codesOf(report *verifier.Report) []string {
	var codes []string
	for _, f := range report.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

var projectFiles = map[string]string{"bin/run.sh": ". ../lib/l.sh\n", "lib/l.sh": "echo l\n", "run.py": "import l\n"}

func TestAManifestVouchesForEveryFileOfItsProject(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := projectVerifier(t, clearsignTrust(t, entity))
	dir := signedFolder(t, key, projectFiles)
	for entry, text := range projectFiles {
		rb := readSet(t, dir, entry)
		verified, err := v.Verify(t.Context(), rb)
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		report := verified.Report()
		if report.Format != "manifest" || report.Name != filepath.Base(entry) || string(verified.Payload()) != text || report.Payload != runbook.DigestOf([]byte(text)) {
			t.Errorf("%s: format %q, name %q, payload %q", entry, report.Format, report.Name, verified.Payload())
		}
		if report.Set.List != runbook.DigestOf([]byte(listing(t, dir))) || report.Set.Entry != entry || report.Set.Files != 3 {
			t.Errorf("%s: set %+v", entry, report.Set)
		}
		if len(report.Signatures) != 1 || report.Signatures[0].Format != "manifest" || len(report.Findings) != 0 {
			t.Errorf("%s: %+v, %v", entry, report.Signatures, report.Findings)
		}
		if len(verified.Set().Members()) != 3 {
			t.Errorf("%s: %d files", entry, len(verified.Set().Members()))
		}
	}
}

// What is in the folder when it is read decides, file by file.
func TestAProjectThatIsNotAsItIsListedIsNotValid(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := projectVerifier(t, clearsignTrust(t, entity))
	outside := folder(t, map[string]string{"l.sh": "echo l\n"})
	write := func(path, text string) func(string) error {
		return func(dir string) error {
			return os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), []byte(text), 0o600)
		}
	}
	for name, c := range map[string]struct {
		change func(dir string) error
		entry  string
		want   verifier.Verdict
		code   string
	}{
		"nothing":                      {func(string) error { return nil }, "bin/run.sh", verifier.Valid, ""},
		"a file is added":              {write("lib/os.py", "evil\n"), "run.py", verifier.Valid, ""},
		"the mode":                     {func(dir string) error { return os.Chmod(filepath.Join(dir, "run.py"), 0o700) }, "run.py", verifier.Valid, ""},
		"the file that runs":           {write("bin/run.sh", "evil\n"), "bin/run.sh", verifier.Tampered, "file-changed"},
		"a file that it loads":         {write("lib/l.sh", "evil\n"), "bin/run.sh", verifier.Tampered, "file-changed"},
		"a file that it does not load": {write("run.py", "evil\n"), "bin/run.sh", verifier.Tampered, "file-changed"},
		"a file is gone":               {func(dir string) error { return os.Remove(filepath.Join(dir, "lib/l.sh")) }, "bin/run.sh", verifier.Tampered, "file-missing"},
		"a folder is gone":             {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "lib")) }, "bin/run.sh", verifier.Tampered, "file-missing"},
		"a link to the same content": {func(dir string) error {
			path := filepath.Join(dir, "lib/l.sh")
			return errors.Join(os.Remove(path), os.Symlink(filepath.Join(outside, "l.sh"), path))
		}, "bin/run.sh", verifier.Tampered, "file-changed"},
		"a folder that is a link to the same content": {func(dir string) error {
			path := filepath.Join(dir, "lib")
			return errors.Join(os.RemoveAll(path), os.Symlink(outside, path))
		}, "bin/run.sh", verifier.Tampered, "file-changed"},
		"two files are swapped": {func(dir string) error {
			a, b := filepath.Join(dir, "run.py"), filepath.Join(dir, "lib/l.sh")
			return errors.Join(os.Rename(a, a+"2"), os.Rename(b, a), os.Rename(a+"2", b))
		}, "bin/run.sh", verifier.Tampered, "file-changed"},
		"a file that is not listed is to run":        {write("bin/new.sh", "evil\n"), "bin/new.sh", verifier.Unsigned, "file-not-listed"},
		"an added copy of a listed file is to run":   {write("bin/copy.sh", projectFiles["bin/run.sh"]), "bin/copy.sh", verifier.Unsigned, "file-not-listed"},
		"the manifest itself is to run":              {func(string) error { return nil }, manifest.Name, verifier.WrongPurpose, "project-manifest"},
		"a file is swapped for one of another place": {write("lib/l.sh", projectFiles["run.py"]), "run.py", verifier.Tampered, "file-changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := signedFolder(t, key, projectFiles)
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			report := inspected(t, v, readSet(t, dir, c.entry))
			if report.Verdict != c.want || c.code != "" && !strings.Contains(strings.Join(codesOf(report), " "), c.code) {
				t.Errorf("%s %v, want %s %s", report.Verdict, report.Findings, c.want, c.code)
			}
			if (report.Verdict == verifier.Valid) != !report.Set.List.IsZero() {
				t.Errorf("the list is %q", report.Set.List)
			}
		})
	}
}

// Nothing of a list is believed, or even shown, that is not validly signed.
func TestAManifestThatIsNotValidlySignedSaysNothing(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	_, stranger := clearsignKey(t, newkeys.OpenPGPOptions{Name: "Stranger"})
	trust := clearsignTrust(t, entity)
	v := projectVerifier(t, trust)
	documents := formatsVerifier(t, trust, format.NewManifestDocument())
	good := signedFolder(t, key, projectFiles)
	text := listing(t, good)
	evil := strings.Replace(text, runbook.DigestOf([]byte("echo l\n")).String(), runbook.DigestOf([]byte("evil\n")).String(), 1)
	line := func(path string) string {
		return string(runbook.AppendManifestLine([]byte(runbook.ManifestHeader+"\n"), runbook.DigestOf([]byte("x")), false, path))
	}
	signed := func(text string) []byte { return clearsigned(t, runbook.ManifestName, text, key) }
	document := string(signed(text))
	for name, c := range map[string]struct {
		document []byte
		want     verifier.Verdict
		code     string
	}{
		"by nobody we know":       {clearsigned(t, runbook.ManifestName, text, stranger), verifier.Untrusted, ""},
		"a line changed":          {[]byte(strings.Replace(document, "lib/l.sh", "lib/m.sh", 1)), verifier.Tampered, ""},
		"a line added":            {[]byte(strings.Replace(document, "\n\n"+runbook.ManifestHeader, "\n\n"+evil[:strings.Index(evil, "\n")+1]+runbook.ManifestHeader, 1)), verifier.Tampered, ""},
		"text before":             {[]byte("x\n" + document), verifier.Malformed, "text-before"},
		"text behind":             {[]byte(document + "x\n"), verifier.Malformed, "text-after"},
		"no signature":            {[]byte(text), verifier.Unsigned, "not-clearsigned"},
		"empty":                   {nil, verifier.Unsigned, "not-clearsigned"},
		"a signed runbook":        {clearsigned(t, "run.sh", "echo hello\n", key), verifier.WrongPurpose, "not-a-manifest"},
		"another version":         {signed("writ-manifest/v2\n" + text), verifier.WrongPurpose, "not-a-manifest"},
		"a comment before":        {signed("# files\n" + text), verifier.WrongPurpose, "not-a-manifest"},
		"no files":                {signed(runbook.ManifestHeader + "\n"), verifier.Malformed, "manifest-syntax"},
		"path traversal":          {signed(line("../../etc/passwd")), verifier.Malformed, "manifest-syntax"},
		"absolute path":           {signed(line("/etc/passwd")), verifier.Malformed, "manifest-syntax"},
		"the manifest itself":     {signed(line(manifest.Name)), verifier.Malformed, "manifest-syntax"},
		"a line twice":            {signed(text + text[strings.LastIndex(text[:len(text)-1], "\n")+1:]), verifier.Malformed, "manifest-syntax"},
		"a blank at a line's end": {[]byte(strings.Replace(document, "lib/l.sh\n", "lib/l.sh \n", 1)), verifier.Noncanonical, "trailing-blanks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, projectFiles)
			putManifest(t, dir, c.document)
			alone, err := runbook.Parse(manifest.Name, c.document)
			if err != nil {
				t.Fatal(err)
			}
			for what, report := range map[string]*verifier.Report{
				"set": inspected(t, v, readSet(t, dir, "bin/run.sh")), "document": inspected(t, documents, alone),
			} {
				if report.Verdict != c.want || c.code != "" && !strings.Contains(strings.Join(codesOf(report), " "), c.code) {
					t.Errorf("%s: %s %v, want %s %s", what, report.Verdict, report.Findings, c.want, c.code)
				}
				if said := fmt.Sprint(report.Findings, report.Signatures); strings.Contains(said, "l.sh") || strings.Contains(said, "passwd") && c.want != verifier.Malformed {
					t.Errorf("%s: a list that is not believed is shown: %s", what, said)
				}
			}
		})
	}
}

func TestAManifestIsNeverARunbook(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	trust := clearsignTrust(t, entity)
	dir := folder(t, projectFiles)
	text := listing(t, dir)
	signed := clearsigned(t, runbook.ManifestName, text, key)
	for _, name := range []string{manifest.Name, "run.sh.asc", "run.py.asc", "run.sh", "x"} {
		rb, err := runbook.Parse(name, signed)
		if err != nil {
			t.Fatal(err)
		}
		report := inspected(t, projectVerifier(t, trust), rb)
		if report.Verdict != verifier.WrongPurpose || !report.Payload.IsZero() {
			t.Errorf("%s: %s, %v", name, report.Verdict, report.Findings)
		}
	}
	var refused *signer.InputError
	for _, name := range []string{"run.sh", "manifest", "writ.manifest.sh"} {
		if _, err := clearsignAt(t, name, text, key, clearsignTime); !errors.As(err, &refused) {
			t.Errorf("%s: a list was signed as a runbook: %v", name, err)
		}
	}
}

// A manifest does not hide what a file says of itself.
func TestAnAuthenticodeBlockInsideAProjectIsNeverHidden(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	own := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	valid := sign(t, own, "a.ps1", []byte("Write-Host 'a'\r\n"))
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		script  []byte
		trusted bool
		want    verifier.Verdict
		count   int
	}{
		"none":                  {[]byte("Write-Host 'a'\r\n"), true, verifier.Valid, 1},
		"valid":                 {valid, true, verifier.Valid, 2},
		"by nobody we know":     {valid, false, verifier.Untrusted, 2},
		"of another text":       {[]byte(strings.Replace(string(valid), "Write-Host 'a'", "Write-Host 'b'", 1)), true, verifier.Tampered, 2},
		"text behind the block": {append(append([]byte{}, valid...), "evil\r\n"...), true, verifier.Malformed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := signedFolder(t, key, map[string]string{"a.ps1": string(c.script), "lib.psm1": "function f { }\r\n"})
			files := []verifier.TrustFile{{Store: "test", Room: verifier.RoomOpenPGP, Name: "key.asc", Data: public}}
			if c.trusted {
				files = append(files, verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: own.CAPEM})
			}
			trust, err := verifier.NewTrust(files...)
			if err != nil {
				t.Fatal(err)
			}
			report := inspected(t, projectVerifier(t, trust), readSet(t, dir, "a.ps1"))
			if report.Verdict != c.want || len(report.Signatures) != c.count {
				t.Errorf("%s with %d signatures, want %s with %d: %v", report.Verdict, len(report.Signatures), c.want, c.count, report.Findings)
			}
		})
	}
}

// What only runs along is vouched for by the manifest, unless its own signature
// proves that it was changed.
func TestASignedLibraryThatWasChangedRefusesTheProject(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	own := newKey(t, newkeys.X509Options{Algorithm: "p256"})
	signed := sign(t, own, "lib.psm1", []byte("function f { 'a' }\r\n"))
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	openpgp := verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "key.asc", Data: public}
	ca := verifier.TrustFile{Store: "test", Room: verifier.RoomX509CA, Name: "ca.pem", Data: own.CAPEM}
	deny := verifier.TrustFile{Store: "test", Room: verifier.RoomDeny, Name: "deny", Data: fmt.Appendf(nil, "x509-sha256:%s\n", sha256Hex(own.Leaf.Raw))}
	changed := []byte(strings.Replace(string(signed), "'a'", "'b'", 1))
	for name, c := range map[string]struct {
		library []byte
		trust   []verifier.TrustFile
		want    verifier.Verdict
	}{
		"valid":                        {signed, []verifier.TrustFile{openpgp, ca}, verifier.Valid},
		"by nobody we know":            {signed, []verifier.TrustFile{openpgp}, verifier.Valid},
		"of another text":              {changed, []verifier.TrustFile{openpgp, ca}, verifier.Tampered},
		"of another text, by nobody":   {changed, []verifier.TrustFile{openpgp}, verifier.Tampered},
		"by somebody who is denied":    {signed, []verifier.TrustFile{openpgp, ca, deny}, verifier.Revoked},
		"with its line ends converted": {[]byte(strings.ReplaceAll(string(signed), "\r\n", "\n")), []verifier.TrustFile{openpgp, ca}, verifier.Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trust, err := verifier.NewTrust(c.trust...)
			if err != nil {
				t.Fatal(err)
			}
			dir := signedFolder(t, key, map[string]string{"a.ps1": "f\r\n", "lib/lib.psm1": string(c.library)})
			report := inspected(t, projectVerifier(t, trust), readSet(t, dir, "a.ps1"))
			if report.Verdict != c.want || len(report.Signatures) != 1 {
				t.Errorf("%s with %d signatures, want %s: %v", report.Verdict, len(report.Signatures), c.want, report.Findings)
			}
			if c.want != verifier.Valid && (len(report.Findings) != 1 || report.Findings[0].Code != "member-signature" || !strings.Contains(report.Findings[0].Detail, "lib/lib.psm1")) {
				t.Errorf("findings %v", report.Findings)
			}
		})
	}
}

// What a policy may refuse is said of a script that a manifest vouches for as of
// one that is signed by itself.
func TestHiddenCharactersInAProjectAreSaid(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := projectVerifier(t, clearsignTrust(t, entity))
	const hidden = "echo \u202e\n"
	many := map[string]string{"a.sh": "echo a\n"}
	for i := range 100 {
		many[fmt.Sprintf("lib/%d.sh", i)] = hidden
	}
	for name, c := range map[string]struct {
		files map[string]string
		entry string
		want  int
	}{
		"in the runbook":               {map[string]string{"a.sh": hidden, "b.sh": "echo b\n"}, "a.sh", 1},
		"in a script that it loads":    {map[string]string{"a.sh": "echo a\n", "b.py": hidden}, "a.sh", 1},
		"in a module of PowerShell":    {map[string]string{"a.ps1": "echo a\n", "b.psm1": hidden}, "a.ps1", 1},
		"in a runbook of PowerShell":   {map[string]string{"a.ps1": hidden}, "a.ps1", 1},
		"in a file that is no script":  {map[string]string{"a.sh": "echo a\n", "b.txt": hidden}, "a.sh", 0},
		"in a hundred scripts, capped": {many, "a.sh", 21},
		"nowhere":                      {map[string]string{"a.sh": "echo a\n"}, "a.sh", 0},
	} {
		report := inspected(t, v, readSet(t, signedFolder(t, key, c.files), c.entry))
		if got := strings.Count(strings.Join(codesOf(report), " "), "bidi-control"); report.Verdict != verifier.Valid || got != c.want {
			t.Errorf("%s: %s with %d findings, want %d: %v", name, report.Verdict, got, c.want, report.Findings)
		}
	}
}

func TestASidecarInsideAProjectIsNeverHidden(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := projectVerifier(t, clearsignTrust(t, entity))
	for name, c := range map[string]struct {
		ext, sidecar string
		want         verifier.Verdict
	}{
		"empty":                       {".sig", "", verifier.Malformed},
		"no signature":                {".asc", "hello\n", verifier.Malformed},
		"a clear-signed document":     {".asc", string(clearsigned(t, "a.sh", "echo other\n", key)), verifier.Valid},
		"of another name in the list": {".txt", "hello\n", verifier.Valid},
	} {
		dir := signedFolder(t, key, map[string]string{"a.sh": "echo a\n", "a.sh" + c.ext: c.sidecar})
		if report := inspected(t, v, readSet(t, dir, "a.sh")); report.Verdict != c.want {
			t.Errorf("%s: %s, want %s: %v", name, report.Verdict, c.want, report.Findings)
		}
	}
}

func TestAClearSignedFileIsNoRunbookOfAProject(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	for name, text := range map[string]string{
		"a document": string(clearsigned(t, "a.sh", "echo a\n", key)), "a script with the name of one": "echo a\n",
	} {
		dir := signedFolder(t, key, map[string]string{"a.sh.asc": text})
		report := inspected(t, projectVerifier(t, clearsignTrust(t, entity)), readSet(t, dir, "a.sh.asc"))
		if report.Verdict != verifier.Unsupported || !strings.Contains(strings.Join(codesOf(report), " "), "signed-document") {
			t.Errorf("%s: %s, %v", name, report.Verdict, report.Findings)
		}
	}
}

func TestReadSetReadsWhatIsListedAndNothingElse(t *testing.T) {
	t.Parallel()
	_, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	dir := signedFolder(t, key, projectFiles)
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	var paths []string
	rb := readSet(t, dir, "run.py")
	for _, m := range rb.Set().Members() {
		paths = append(paths, m.Path())
	}
	if diff := cmp.Diff([]string{"bin/run.sh", "lib/l.sh", "run.py"}, paths); diff != "" {
		t.Error(diff)
	}
	if resolved, err := filepath.EvalSymlinks(dir); err != nil || rb.Path() != filepath.ToSlash(filepath.Join(resolved, "run.py")) {
		t.Errorf("it lay at %q, %v", rb.Path(), err)
	}
	link := filepath.Join(t.TempDir(), "link")
	bare := folder(t, projectFiles)
	if err := errors.Join(os.Symlink(dir, link), os.Symlink("run.py", filepath.Join(dir, "link.py"))); err != nil {
		t.Fatal(err)
	}
	var noManifest *format.ProjectError
	for name, c := range map[string]struct {
		dir, entry string
		fails      func(error) bool
	}{
		"no manifest":        {bare, "run.py", func(err error) bool { return errors.As(err, &noManifest) }},
		"no folder":          {filepath.Join(bare, "none"), "run.py", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		"no entry":           {dir, "none.sh", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		"an entry outside":   {dir, "../x.sh", func(err error) bool { return err != nil }},
		"a folder":           {dir, "lib", func(err error) bool { return errors.Is(err, runbook.ErrNotRegular) }},
		"a link":             {dir, "link.py", func(err error) bool { return errors.Is(err, runbook.ErrNotRegular) }},
		"a folder by a link": {link, "run.py", func(err error) bool { return err == nil }},
	} {
		if _, err := format.ReadSet(c.dir, c.entry); !c.fails(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No bit of a manifest can be flipped so that it vouches for something else.
func TestNoFlippedBitOfAManifestIsBelieved(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := projectVerifier(t, clearsignTrust(t, entity))
	set := readSet(t, signedFolder(t, key, projectFiles), "run.py").Set()
	document, members := set.Manifest(), set.Members()
	valid := 0
	for i := range document {
		flipped := append([]byte{}, document...)
		flipped[i] ^= 1 << (i % 8)
		rb, err := runbook.NewSet("", flipped, "run.py", members)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := v.Verify(t.Context(), rb)
		if err != nil {
			continue
		}
		valid++
		if verified.Report().Set.List != set.Digest() {
			t.Errorf("byte %d: valid for the list %s", i, verified.Report().Set.List)
		}
		if i < strings.Index(string(document), "-----BEGIN PGP SIGNATURE-----") {
			t.Errorf("byte %d of the text was flipped, and the manifest is valid", i)
		}
	}
	t.Logf("%d of %d documents with a flipped bit are valid for the same list", valid, len(document))
}
