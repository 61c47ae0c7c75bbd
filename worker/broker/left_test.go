package broker_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/broker"
)

// TestNothingIsLeftOfManyRuns runs alone: it counts what the whole process has open.
func TestNothingIsLeftOfManyRuns(t *testing.T) {
	once := func() {
		r := open(t, broker.AppService)
		r.mustGive(r.head())
		for range 3 {
			conn, err := net.Dial("tcp", r.address())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, "GET /"); err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	once() // what the runtime opens once
	files, routines := openFiles(t), runtime.NumGoroutine()
	for range 50 {
		once()
	}
	if more := openFiles(t) - files; more > 0 {
		t.Errorf("%d descriptors are left", more)
	}
	// One that has said that it is done is counted until it has returned.
	for limit := time.Now().Add(time.Minute); runtime.NumGoroutine() > routines && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	if more := runtime.NumGoroutine() - routines; more > 0 {
		t.Errorf("%d goroutines are left", more)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("skipped: nothing here tells how many descriptors are open")
	}
	return len(list)
}
