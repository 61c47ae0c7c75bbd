package testenv

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Server is a program that a test has started and has to end. On Linux it ends with the
// test's process, too, however that ends: it may hold a port that others wait for.
type Server struct {
	cmd   *exec.Cmd
	said  transcript
	ended chan struct{}
}

// transcript is what a program writes. It can be read while the program runs.
type transcript struct {
	mu        sync.Mutex
	text      bytes.Buffer
	firstLine chan struct{} // closed once there is one
	told      bool
}

// Write implements io.Writer.
func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told && bytes.IndexByte(p, '\n') >= 0 {
		s.told = true
		close(s.firstLine)
	}
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// StartServer starts a program.
func StartServer(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	s := &Server{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	s.said.firstLine = make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	endWithUs(s.cmd)
	started := make(chan error)
	go func() {
		// The kernel ends the program with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // it never ends well: it is killed, or fails to start
			close(s.ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return s
}

// Ended is closed once the program has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// FirstLine waits for the first line that the program writes, or for its end.
func (s *Server) FirstLine() string {
	select {
	case <-s.said.firstLine:
	case <-s.ended:
	}
	line, _, _ := strings.Cut(s.said.String(), "\n")
	return line
}

// End kills the program and returns what it wrote.
func (s *Server) End() string {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	return s.said.String()
}
