//go:build linux

package signer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

const nobody = 65534

// TestChild is not a test: it is what the tests below run as a process of its
// own, which signs one file under odd conditions.
func TestChild(t *testing.T) {
	path := os.Getenv("WRIT_TEST_SIGN")
	if path == "" {
		return
	}
	if os.Getenv("WRIT_TEST_NOSPACE") != "" {
		signal.Ignore(unix.SIGXFSZ)
		limit := unix.Rlimit{Cur: 8192, Max: 8192}
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getenv("WRIT_TEST_REPAIR") != "" {
		if _, err := signer.RepairFile(t.Context(), path, repairOptions(t)); err != nil {
			t.Fatalf("SIGN FAILED: %v", err)
		}
		return
	}
	key, err := signer.OpenKey(t.Context(), os.Getenv("WRIT_TEST_KEY"), signer.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewAuthenticode()
	f.Now = clock
	o := signer.Options{Format: f, Key: key, Verify: ownVerifier(t, key, verifier.RoomX509CA, f)}
	if _, err := signer.SignFile(t.Context(), path, o); err != nil {
		t.Fatalf("SIGN FAILED: %v", err)
	}
}

// child prepares a signing process: as nobody where we are root, so that
// permissions mean something.
type child struct {
	studio
	files
	key string
}

func newChild(t *testing.T, size int) child {
	t.Helper()
	dir, keys := newFiles(t), newFiles(t)
	k := newX509(t, "p256")
	c := child{files: dir, key: keys.write("key.pem", append(bytes.Clone(k.KeyPEM), k.ChainPEM()...))}
	c.in, c.text = "a.ps1", bytes.Repeat([]byte("Write-Host 'hello'\r\n"), size/20)
	c.write(c.in, c.text)
	key := must(signer.NewX509Key("x", k.Key, k.Chain()))
	f := format.NewAuthenticode()
	f.Now = clock
	c.Options = signer.Options{Format: f, Key: key, Verify: ownVerifier(t, key, verifier.RoomX509CA, f)}
	// The test's folder is below one that only we may enter.
	for d := dir.dir; d != filepath.Dir(d) && strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		chmod(t, d, 0o755)
	}
	return c
}

func (c child) command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(must(os.Executable()), "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), append(env, "WRIT_TEST_SIGN="+c.path(c.in), "WRIT_TEST_KEY="+c.key)...)
	return cmd
}

// asNobody gives key and folder to nobody, and lets the command run as nobody.
func (c child) asNobody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for _, path := range []string{c.key, filepath.Dir(c.key), c.dir} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for d := filepath.Dir(c.key); strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		chmod(t, d, 0o755)
	}
	// The test binary is in a folder of ours: nobody runs a copy.
	binary := filepath.Join(filepath.Dir(c.key), "signer.test")
	testenv.WriteProgram(t, binary, must(os.ReadFile(cmd.Path)))
	cmd.Path, cmd.Dir = binary, c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func (c child) wantUntouched(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	names := c.names()
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("SIGN FAILED")) || !bytes.Contains(out, []byte(want)) {
		t.Errorf("want a failure with %q: %v\n%s", want, err, out)
	}
	if !slices.Equal(names, c.names()) {
		t.Errorf("left behind: %q", c.names())
	}
	if !bytes.Equal(c.read(c.in), c.text) {
		t.Error("the runbook changed")
	}
}

func TestReadOnlyFolderLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	c := newChild(t, 1000)
	cmd := c.command(t)
	c.asNobody(t, cmd)
	chmod(t, c.path(c.in), 0o644)
	chmod(t, c.dir, 0o555)
	c.wantUntouched(t, cmd, "permission denied")
}

func TestOwnerThatCannotBeKeptLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	needRoot(t)
	c := newChild(t, 1000)
	cmd := c.command(t)
	c.asNobody(t, cmd)
	chmod(t, c.path(c.in), 0o644) // of root, in nobody's folder
	c.wantUntouched(t, cmd, "owner 0 and group 0")
}

func TestFileSizeLimitLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	c := newChild(t, 20_000)
	c.wantUntouched(t, c.command(t, "WRIT_TEST_NOSPACE=1"), "file too large")
}

// A file that is to be repaired is as safe as one that is to be signed.
func TestRepairThatCannotWriteLeavesTheFile(t *testing.T) {
	t.Parallel()
	t.Run("read-only folder", func(t *testing.T) {
		t.Parallel()
		c := newDamagedChild(t)
		cmd := c.command(t, "WRIT_TEST_REPAIR=1")
		c.asNobody(t, cmd)
		chmod(t, c.path(c.in), 0o644)
		chmod(t, c.dir, 0o555)
		c.wantUntouched(t, cmd, "permission denied")
	})
	t.Run("file size limit", func(t *testing.T) {
		t.Parallel()
		c := newDamagedChild(t)
		c.wantUntouched(t, c.command(t, "WRIT_TEST_REPAIR=1", "WRIT_TEST_NOSPACE=1"), "file too large")
	})
	t.Run("full disk", func(t *testing.T) {
		t.Parallel()
		needRoot(t)
		c := newDamagedChild(t)
		if err := unix.Mount("tmpfs", c.dir, "tmpfs", 0, "size=36k"); err != nil {
			t.Skipf("skipped: cannot mount a small file system: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(c.dir, unix.MNT_DETACH) })
		c.write(c.in, c.text)
		unrepaired[error](t, c.files, c.path(c.in), repairOptions(t))
	})
}

// newDamagedChild is a child with a signed file of 20 KB whose line ends were
// converted.
func newDamagedChild(t *testing.T) child {
	t.Helper()
	c := newChild(t, 20_000)
	must(signer.SignFile(t.Context(), c.path(c.in), c.Options))
	c.text = toLF(c.read(c.in))
	c.write(c.in, c.text)
	return c
}

func TestFullDiskLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	needRoot(t)
	c := newChild(t, 1000)
	if err := unix.Mount("tmpfs", c.dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("skipped: cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(c.dir, unix.MNT_DETACH) })
	c.text = bytes.Repeat(c.text, 40)
	c.write(c.in, c.text)
	refused[error](t, c.files, c.path(c.in), c.Options, "no space left on device")
	c.write(c.in, c.text[:1000])
	if _, err := signer.SignFile(t.Context(), c.path(c.in), c.Options); err != nil {
		t.Errorf("with space: %v", err)
	}
}

// Whenever the process is killed, the file is the original or whole.
func TestKilledSignerLeavesTheOriginalOrAWholeFile(t *testing.T) {
	t.Parallel()
	c := newChild(t, 4<<20)
	for round := range 4 {
		c.write(c.in, c.text)
		cmd := c.command(t)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		temporary := 0
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
				if len(c.names()) > 1 {
					if temporary++; temporary > round*20 {
						_ = cmd.Process.Kill()
					}
				}
			}
		}
		if data := c.read(c.in); !bytes.Equal(data, c.text) {
			if _, err := c.Verify(t.Context(), must(runbook.Parse(c.in, data))); err != nil {
				t.Errorf("round %d: neither the original nor valid: %v", round, err)
			}
		}
	}
}

// TestInterruptEndsTheWaitForAPassphrase: a FIFO may stand for the file, and
// nobody may ever write to it.
func TestInterruptEndsTheWaitForAPassphrase(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	fifo := f.path("fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	key := f.write("key", encryptedPKCS8(pbkdf2(1), make([]byte, 16), make([]byte, 64)))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := signer.OpenKey(ctx, key, signer.KeyOptions{Passphrase: signer.PassphraseFromFile(fifo)})
	var keyError *signer.KeyError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &keyError) {
		t.Errorf("want the cause, got %v", err)
	}
	// Whoever waits still must be let go.
	if w, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
		_ = w.Close()
	}
}

func TestOwnerIsKept(t *testing.T) {
	t.Parallel()
	needRoot(t)
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		if err := os.Chown(path, 12345, 54321); err != nil {
			t.Fatal(err)
		}
		chmod(t, path, 0o755|os.ModeSetgid) // after chown, which clears the bit
		must(signer.SignFile(t.Context(), path, s.Options))
		info := must(os.Stat(dir.path(s.out)))
		st := info.Sys().(*syscall.Stat_t)
		if st.Uid != 12345 || st.Gid != 54321 || info.Mode() != 0o755|os.ModeSetgid {
			t.Errorf("owner %d:%d, mode %v", st.Uid, st.Gid, info.Mode())
		}
	})
}

// accessList is an access control list as the kernel keeps it: what owner, one
// user, group, mask and others may do.
func accessList(owner, user, group, mask, other uint16) []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, owner, 1<<32 - 1}, {2, user, 1234}, {4, group, 1<<32 - 1}, {16, mask, 1<<32 - 1}, {32, other, 1<<32 - 1}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return list
}

func TestAccessListAndAttributesAreKept(t *testing.T) {
	t.Parallel()
	const access, standard = "system.posix_acl_access", "system.posix_acl_default"
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		// user 1234 may read, the group may not: without the list the mode 0640
		// would say the opposite.
		list := accessList(6, 4, 0, 4, 0)
		if err := unix.Setxattr(path, access, list, 0); err != nil {
			t.Skipf("skipped: no access control lists in the temporary folder: %v", err)
		}
		if err := unix.Setxattr(path, "user.writ", []byte("x"), 0); err != nil {
			t.Skipf("skipped: no user attributes in the temporary folder: %v", err)
		}
		must(signer.SignFile(t.Context(), path, s.Options))
		for name, want := range map[string][]byte{access: list, "user.writ": []byte("x")} {
			got := make([]byte, 1024)
			n, err := unix.Getxattr(dir.path(s.out), name, got)
			if err != nil || !bytes.Equal(got[:n], want) {
				t.Errorf("%s: %x, %v", name, got[:max(n, 0)], err)
			}
		}
	})
	eachFormat(t, func(t *testing.T, s studio) {
		dir := newFiles(t)
		path := dir.write(s.in, s.text)
		if err := unix.Setxattr(dir.dir, standard, accessList(7, 7, 5, 7, 5), 0); err != nil {
			t.Skipf("skipped: no access control lists in the temporary folder: %v", err)
		}
		must(signer.SignFile(t.Context(), path, s.Options))
		if n, err := unix.Getxattr(dir.path(s.out), access, make([]byte, 1024)); err == nil {
			t.Errorf("the folder gave the file an access list of %d bytes that the runbook did not have", n)
		}
	})
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can give files away")
	}
}

// TestAttackPluginThatOutlivesUs: a plugin that hangs holds a token open. It has ended
// when a call that was interrupted returns, as the program may exit then.
func TestAttackPluginThatOutlivesUs(t *testing.T) {
	k := newX509(t, "p256")
	dir := newFiles(t)
	public := run(t, testenv.Tool(t, "openssl"), "pkey", "-in", dir.write("key.pem", k.KeyPEM), "-pubout")
	answer := dir.write("public.json", must(json.Marshal(map[string]any{"publicKey": map[string]any{"publicKeyPEM": []byte(public)}})))
	t.Setenv("PATH", dir.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	begun := dir.path("begun")
	if err := unix.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncase \"$2\" in *'\"methodName\":\"publicKey\"'*) exec cat " + answer + ";; esac\necho > " + begun + "\nexec sleep 60\n"
	testenv.WriteProgram(t, dir.path("sigstore-kms-outliving"), []byte(script))
	key, err := signer.OpenKey(t.Context(), "outliving://key", signer.KeyOptions{Cert: dir.write("cert.pem", k.ChainPEM())})
	if err != nil {
		t.Fatal(err)
	}
	shop := newShop(t, key)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, _ = os.ReadFile(begun) // waits for the plugin
		cancel()
	}()
	if _, err := signer.SignFile(ctx, shop.path, shop.Options); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, pid := range testenv.Processes("sleep\x0060") {
		if status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status"); err == nil && strings.Contains(string(status), "PPid:\t"+strconv.Itoa(os.Getpid())+"\n") {
			t.Errorf("the plugin %d is still there", pid)
		}
	}
	shop.wantUntouched()
}
