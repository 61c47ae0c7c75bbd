package procstat

import (
	"errors"
	"os"
	"testing"
)

const tail = " 3 7 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 77 0 0"

func TestTheNameOfAProgramIsNotTakenForTheFieldsBehindIt(t *testing.T) {
	t.Parallel()
	want := Process{PID: 7, Parent: 3, Session: 9, State: 'R', Started: 77}
	for _, name := range []string{"a", "", "a) S 1 1", "a b", "))", "(", "a\n) Z 0"} {
		if got, ok := parse(7, []byte("7 ("+name+") R"+tail)); !ok || got != want {
			t.Errorf("%q: %+v, %v", name, got, ok)
		}
	}
}

func TestATextOfAnotherFormIsNoProcess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "7 (a)", "7 (a) R 3 7 9", "7 (a) RR" + tail, "7 (a) R x 7 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 77 0 0", "7 (a) R 3 7 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 -77 0 0"} {
		if got, ok := parse(7, []byte(text)); ok || got != (Process{}) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestAProcessIsFoundWhileItLives(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skipf("skipped: this system says nothing of its processes there: %v", err)
	}
	own, err := Read(os.Getpid())
	if err != nil || own.PID != os.Getpid() || own.Parent != os.Getppid() || own.Started == 0 || own.Ended() {
		t.Errorf("%+v, %v", own, err)
	}
	if again, err := Read(os.Getpid()); err != nil || again.Started != own.Started {
		t.Errorf("%+v, %v", again, err)
	}
	if p, err := Read(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 35 0 0"))
	f.Add([]byte("7 (a) S 1 1) R" + tail))
	f.Fuzz(func(t *testing.T, stat []byte) {
		p, ok := parse(7, stat)
		if ok != (p.State != 0) || ok && p.PID != 7 {
			t.Errorf("%q gave %+v", stat, p)
		}
	})
}
