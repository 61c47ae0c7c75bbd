//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/examples/internal/demo"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/worker"
)

// asProgram makes the test's binary the program that it tests.
const asProgram = "WRIT_EXAMPLE_AGENT"

func TestMain(m *testing.M) {
	worker.Enter(os.Exit)
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	m.Run() // its code becomes that of the process
}

// station is a machine with a queue, and a listener that its jobs call, so that
// the test knows when they run and says when they may end.
type station struct {
	*testing.T
	*demo.Machine
	queue string
	calls *net.TCPListener
}

// patience is for a machine that is busy: it is waited for what must come.
const patience = 30 * time.Second

// callTheTest says a word to the test and waits for its answer.
const callTheTest = "exec 3<>\"/dev/tcp/127.0.0.1/$1\"\necho \"$2\" >&3\nread -r answer <&3\necho \"$answer\"\n"

func newStation(t *testing.T) *station {
	t.Helper()
	calls, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	if err := calls.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	s := &station{t, demo.New(t), filepath.Join(t.TempDir(), "queue"), calls}
	s.Sign(t, "call.sh", callTheTest)
	s.Sign(t, "fail.sh", "exit 3\n")
	return s
}

func (s *station) arguments() []string {
	return []string{
		"-queue", s.queue, "-runbooks", s.Runbooks, "-trust", s.Trust, "-policy", s.Policy, "-ledger", s.Ledger,
		"-group", demo.Group, "-jobs", "3",
	}
}

// work has an agent work here until stop is called, which returns its error.
func (s *station) work() (stop func() error) {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, worker.Enter(os.Exit), s.arguments()) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func (s *station) submit(name, text string) {
	s.Helper()
	fresh := filepath.Join(s.TempDir(), "job")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(s.queue, folderNew), 0o700),
		os.WriteFile(fresh, []byte(text), 0o600),
		os.Rename(fresh, filepath.Join(s.queue, folderNew, name+".json")),
	} {
		if err != nil {
			s.Fatal(err)
		}
	}
}

// submitCall submits a job that calls the test with its own name.
func (s *station) submitCall(name string) {
	s.Helper()
	_, port, err := net.SplitHostPort(s.calls.Addr().String())
	if err != nil {
		s.Fatal(err)
	}
	s.submit(name, `{"runbook": "call.sh.asc", "arguments": ["`+port+`", "`+name+`"]}`)
}

type call struct {
	net.Conn
	word string
}

// called waits for a call.
func (s *station) called() call {
	s.Helper()
	conn, err := s.calls.Accept()
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close() })
	word, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		s.Fatal(err)
	}
	return call{conn, strings.TrimSpace(word)}
}

func (s *station) answer(c call, word string) {
	s.Helper()
	if _, err := c.Write([]byte(word + "\n")); err != nil {
		s.Fatal(err)
	}
}

// done waits for the result of a job.
func (s *station) done(name string) (r report, stdout string) {
	s.Helper()
	path, late := filepath.Join(s.queue, folderDone, name+".json"), time.After(patience)
	for {
		text, err := os.ReadFile(path)
		if err == nil {
			if err := json.Unmarshal(text, &r); err != nil {
				s.Fatal(err)
			}
			break
		}
		select {
		case <-late:
			s.Fatalf("%s does not end", name)
		case <-time.After(5 * time.Millisecond): // nothing tells when the agent writes
		}
	}
	out, err := os.ReadFile(filepath.Join(s.queue, folderDone, name+".out"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.Fatal(err)
	}
	return r, string(out)
}

func (s *station) state(name, want string) {
	s.Helper()
	if r, _ := s.done(name); r.State != want {
		s.Errorf("%s is %s, want %s: %s %s", name, r.State, want, r.Error, r.Result)
	}
}

// empty says whether the queue holds neither jobs nor claims.
func (s *station) empty() {
	s.Helper()
	for _, folder := range []string{folderNew, folderRunning, folderStop} {
		left, err := os.ReadDir(filepath.Join(s.queue, folder))
		if err != nil || len(left) > 0 {
			s.Errorf("%s holds %v: %v", folder, left, err)
		}
	}
	f, err := os.Open(s.Ledger)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = f.Close() }() // was only read
	if _, err := ledger.Verify(f, ledger.VerifyOptions{}); err != nil {
		s.Error(err)
	}
}

func TestJobsRunSeveralAtATime(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	for _, name := range []string{"job1", "job2", "job3", "job4"} {
		s.submitCall(name)
	}
	stop := s.work()
	calls := []call{s.called(), s.called(), s.called()} // none of them has ended
	for _, c := range calls {
		s.answer(c, "hello "+c.word)
	}
	fourth := s.called()
	s.answer(fourth, "hello "+fourth.word)
	for _, name := range []string{"job1", "job2", "job3", "job4"} {
		s.state(name, string(worker.Completed))
		if _, out := s.done(name); out != "hello "+name+"\n" {
			t.Errorf("%s wrote %q", name, out)
		}
	}
	if fourth.word != "job4" {
		t.Errorf("%s came last", fourth.word)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.empty()
}

func TestAJobEndsWhenSomebodyAsksForThat(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.submitCall("long")
	s.submitCall("other")
	stop := s.work()
	calls := []call{s.called(), s.called()}
	if err := os.WriteFile(filepath.Join(s.queue, folderStop, "long"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.state("long", string(worker.Stopped))
	for _, c := range calls {
		if c.word == "other" {
			s.answer(c, "go on")
		}
	}
	s.state("other", string(worker.Completed))
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.empty()
}

func TestTheJobsEndWithTheAgent(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.submitCall("long")
	stop := s.work()
	s.called()
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.state("long", string(worker.Stopped))
	s.empty()
}

func TestAJobNeverRunsTwice(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	s.submitCall("once")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	first := exec.Command(self, s.arguments()...)
	first.Env = append(os.Environ(), asProgram+"=1")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	s.called()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed

	s.submitCall("once") // again, by somebody who saw no result
	s.submitCall("next")
	stop := s.work()
	next := s.called()
	if next.word != "next" {
		t.Errorf("%s ran again", next.word)
	}
	s.answer(next, "hello")
	s.state("next", string(worker.Completed))
	s.state("once", stateLost)
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.empty()
}

func TestWhatIsNoJobDoesNotRun(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	for name, text := range map[string]string{
		"no-json":      `runbook: call.sh.asc`,
		"a-path":       `{"runbook": "../runbooks/fail.sh.asc"}`,
		"a-folder":     `{"runbook": ".."}`,
		"unknown-word": `{"runbook": "fail.sh.asc", "user": "root"}`,
		"two-objects":  `{"runbook": "fail.sh.asc"} {}`,
		"huge":         `{"runbook": "` + strings.Repeat("x", maxJob) + `"}`,
		"denied":       `{"runbook": "fail.sh.asc", "arguments": ["a", "b", "c", "d"]}`,
		"not-there":    `{"runbook": "none.sh.asc"}`,
		"fails":        `{"runbook": "fail.sh.asc"}`,
	} {
		s.submit(name, text)
	}
	if err := os.Symlink(filepath.Join(s.Runbooks, "fail.sh.asc"), filepath.Join(s.queue, folderNew, "a-link.json")); err != nil {
		t.Fatal(err)
	}
	stop := s.work()
	for _, name := range []string{"no-json", "a-path", "a-folder", "unknown-word", "two-objects", "huge", "denied", "not-there", "fails", "a-link"} {
		s.state(name, stateFailed)
		r, _ := s.done(name)
		if ran := strings.Contains(string(r.Result), `"started":true`); ran != (name == "fails") {
			t.Errorf("%s: %s", name, r.Result)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	s.empty()
}

func TestOneAgentWorksOnAQueueThatIsItsOwn(t *testing.T) {
	t.Parallel()
	s := newStation(t)
	q, err := openQueue(s.queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), worker.Enter(os.Exit), s.arguments()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	q.close()
	if err := os.Chmod(s.queue, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), worker.Enter(os.Exit), s.arguments()); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a queue for others: %v", err)
	}
}
