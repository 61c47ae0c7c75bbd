package testenv

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// TimestampServer starts Sigstore's timestamp authority on loopback, with keys
// that it makes for itself, and returns the URL to ask and its certificates. It
// ends with the test.
func TimestampServer(t testing.TB) (url string, chain []byte) {
	t.Helper()
	program := Tool(t, "timestamp-server")
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
	cmd := exec.Command(program, "serve", "--host", host, "--port", port, "--timestamp-signer", "memory", "--disable-ntp-monitoring")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	url = "http://" + net.JoinHostPort(host, port) + "/api/v1/timestamp"
	for range 600 {
		if chain, err = get(url + "/certchain"); err == nil {
			return url, chain
		}
		time.Sleep(100 * time.Millisecond) // there is no other way to learn that a server listens
	}
	t.Fatalf("the timestamp server does not answer: %v", err)
	return "", nil
}

func get(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	return io.ReadAll(res.Body)
}
