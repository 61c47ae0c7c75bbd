package identity_test

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/runwrit/writ/worker/identity"
)

// socket is a local socket that the test listens on, and its path.
func socket(t *testing.T) (*net.UnixListener, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o755, path: 0o777} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	return l, path
}

func TestThePeerOfASocketIsTheUserWhoConnected(t *testing.T) {
	t.Parallel()
	l, path := socket(t)
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	got, err := identity.PeerCaller(conn)
	if err != nil {
		t.Fatal(err)
	}
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "os:"+self.Username || got.Kind != "os-user" || got.Assurance != identity.AssurancePeerCred || !got.GroupsComplete {
		t.Errorf("got %+v, want %s", got, self.Username)
	}
	g, err := user.LookupGroupId(self.Gid)
	if err != nil || !slices.Contains(got.Groups, "os-group:"+g.Name) {
		t.Errorf("groups %v lack that of number %s (%v)", got.Groups, self.Gid, err)
	}
}

// One thread of the test becomes nobody, and connects.
func TestThePeerOfASocketIsNotTheUserOfTheGate(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: only root can become another user")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("skipped: no other user on this machine: %v", err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	l, path := socket(t)
	connected := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, _, no := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); no != 0 {
			connected <- no
			return
		}
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err == nil {
			err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
		}
		connected <- err
	}()
	if err := <-connected; err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got, err := identity.PeerCaller(conn); err != nil || got.ID != "os:nobody" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestASocketWithoutAPeerNamesNobody(t *testing.T) {
	t.Parallel()
	if c, err := identity.PeerCaller(nil); err == nil || c.ID != "" {
		t.Errorf("no socket: %+v, %v", c, err)
	}
	l, path := socket(t)
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	_ = conn.Close()
	if c, err := identity.PeerCaller(conn); err == nil || c.ID != "" {
		t.Errorf("a closed socket: %+v, %v", c, err)
	}
	lone, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path + "2", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lone.Close() }()
	if c, err := identity.PeerCaller(lone); err == nil || c.ID != "" || !strings.Contains(err.Error(), "has no name") {
		t.Errorf("a socket that nobody connected to: %+v, %v", c, err)
	}
}
