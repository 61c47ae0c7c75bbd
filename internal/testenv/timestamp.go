package testenv

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// timestampServer is the one that the tests of this process share.
var timestampServer struct {
	sync.Mutex
	users int
	url   string
	chain []byte
	end   func()
}

// TimestampServer starts Sigstore's timestamp authority on loopback, with keys
// that it makes for itself, and returns the URL to ask and its certificates. Tests
// of one process that run at the same time share it; it ends with the last of them.
//
// Beside the port that it is told, the server takes port 2112 for its metrics,
// and ends if that is taken: of two test runs on one machine the second waits
// here for the first.
func TimestampServer(t testing.TB) (url string, chain []byte) {
	t.Helper()
	program := Tool(t, "timestamp-server")
	s := &timestampServer
	s.Lock()
	defer s.Unlock()
	for tries := 0; s.users == 0; tries++ {
		var said string
		if s.url, s.chain, said, s.end = startTimestampServer(t, program); s.chain != nil {
			break
		}
		if !strings.Contains(said, "address already in use") {
			t.Fatalf("the timestamp server does not start: %.2000s", said)
		}
		if tries == 300 {
			t.Fatal("the ports of the timestamp server are taken all the time")
		}
		time.Sleep(time.Second) // nothing tells when the other server ends
	}
	s.users++
	t.Cleanup(func() {
		s.Lock()
		defer s.Unlock()
		if s.users--; s.users == 0 {
			s.end()
		}
	})
	return s.url, s.chain
}

// startTimestampServer waits until the server answers or has ended; then said is
// what it wrote. Whoever gets a chain has to end it.
func startTimestampServer(t testing.TB, program string) (url string, chain []byte, said string, end func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err == nil {
		err = listener.Close() // the server takes it a moment later
	}
	if err != nil {
		t.Fatal(err)
	}
	server := StartServer(t, program, "serve", "--host", host, "--port", port, "--timestamp-signer", "memory", "--disable-ntp-monitoring")
	end = func() { _ = server.End() }
	url = "http://" + net.JoinHostPort(host, port) + "/api/v1/timestamp"
	for answers := 0; ; {
		select {
		case <-server.Ended():
			return "", nil, server.End(), end
		case <-time.After(100 * time.Millisecond): // nothing tells when a server listens
		}
		if chain = get(url + "/certchain"); chain != nil {
			answers++
		}
		if answers == 3 { // it may answer once and then end, for want of the other port
			return url, chain, "", end
		}
	}
}

// get returns nil while nobody answers.
func get(url string) []byte {
	client := &http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil
	}
	return data
}
