package broker_test

import (
	"net"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/broker"
)

// BenchmarkOpen is what a run pays for having a port of its own.
func BenchmarkOpen(b *testing.B) {
	h, k := newHost(), &book{}
	made, err := broker.New(broker.Options{Source: h, Protocol: broker.AppService, Now: h.Now})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := made.Open(b.Context(), broker.Job{Audiences: []string{app}, Record: k.record})
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}

// BenchmarkToken is a token that the run already has, over the network.
func BenchmarkToken(b *testing.B) {
	r := open(b, broker.AppService)
	head := []byte(r.head())
	buf := make([]byte, 64<<10)
	for b.Loop() {
		r.host.pass(time.Second)
		r.host.change(func(h *host) { h.life += time.Second })
		conn, err := net.Dial("tcp", r.address())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Write(head); err != nil {
			b.Fatal(err)
		}
		if n, err := conn.Read(buf); err != nil || string(buf[9:12]) != "200" {
			b.Fatalf("%v: %s", err, buf[:n])
		}
		_ = conn.Close()
	}
}
