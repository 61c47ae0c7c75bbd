package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/runwrit/writ/internal/audience"
)

// Endpoint is the port of one run.
type Endpoint struct {
	o       Options
	job     Job
	secret  string
	host    string // 127.0.0.1:PORT
	refused atomic.Int64

	listener net.Listener
	ctx      context.Context //nolint:containedctx // the run's: Close ends what it still asks for
	cancel   context.CancelFunc
	clients  sync.WaitGroup
	slots    chan struct{}

	mu    sync.Mutex
	open  []*client // the oldest first
	shelf shelf
}

// client is one connection.
type client struct {
	net.Conn
	// heard says that its question was read and is being answered.
	heard bool
}

// plainPath has no character that the scripts which read the path out of a header
// would stumble over.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9._/-]+\.key$`)

// Open opens the port of a run. It must be closed.
func (b *Broker) Open(ctx context.Context, job Job) (*Endpoint, error) {
	switch {
	case b == nil || b.o.Source == nil:
		return nil, errors.New("token broker: there is none")
	case len(job.Audiences) == 0 || job.Record == nil:
		return nil, errors.New("token broker: a run without audiences, or without a record of them, gets no tokens")
	case b.o.Protocol == Arc && !plainPath.MatchString(job.SecretFile):
		return nil, fmt.Errorf("token broker: %q is no plain path of a .key file", job.SecretFile)
	}
	for _, a := range job.Audiences {
		if bad := audience.Problem(a); bad != "" {
			return nil, fmt.Errorf("token broker: audience %q: %s", a, bad)
		}
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("token broker: %w", err)
	}
	job.Audiences = slices.Clone(job.Audiences)
	e := &Endpoint{
		o: b.o, job: job, secret: hex.EncodeToString(secret[:]), host: listener.Addr().String(), listener: listener,
		slots: make(chan struct{}, maxClients), shelf: newShelf(b.o.Now()),
	}
	// A run that is told to end may still need tokens for that.
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.clients.Go(e.serve)
	return e, nil
}

// Env is what the runbook's environment needs to find the endpoint. With AppService it
// holds the secret.
func (e *Endpoint) Env() []string {
	url := "http://" + e.host + e.path()
	if e.o.Protocol == Arc {
		return []string{"IDENTITY_ENDPOINT=" + url, "IMDS_ENDPOINT=http://" + e.host}
	}
	return []string{"IDENTITY_ENDPOINT=" + url, "IDENTITY_HEADER=" + e.secret, "MSI_ENDPOINT=" + url, "MSI_SECRET=" + e.secret}
}

// Secret is what the file of an Arc run must hold.
func (e *Endpoint) Secret() []byte { return []byte(e.secret) }

// Refused is how many requests came with a wrong secret, or without one where that is no
// part of the protocol: somebody else on the machine has asked.
func (e *Endpoint) Refused() int64 { return e.refused.Load() }

// Close closes the port, ends what is being answered, waits for that, and forgets
// every token.
func (e *Endpoint) Close() {
	e.cancel()
	_ = e.listener.Close()
	e.mu.Lock()
	for _, c := range e.open {
		_ = c.Close()
	}
	e.mu.Unlock()
	e.clients.Wait()
	e.shelf.clear()
}

// serve takes clients until the port is closed. As many as there are slots are served
// at a time; for one more the oldest one gives way that has not put its question yet, so
// that others on the machine cannot keep the runbook waiting.
func (e *Endpoint) serve() {
	for {
		conn, err := e.listener.Accept()
		switch {
		case e.ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return
		case err != nil: // out of descriptors, perhaps: not for long
			select {
			case <-time.After(100 * time.Millisecond):
			case <-e.ctx.Done():
			}
			continue
		}
		if !e.slot() {
			_ = conn.Close()
			return
		}
		c := &client{Conn: conn}
		e.mu.Lock()
		e.open = append(e.open, c)
		e.mu.Unlock()
		e.clients.Go(func() {
			defer func() { <-e.slots }()
			e.handle(c)
		})
	}
}

// slot waits for a free slot; false says that the run has ended.
func (e *Endpoint) slot() bool {
	select {
	case e.slots <- struct{}{}:
		return true
	default:
	}
	e.dismiss()
	select {
	case e.slots <- struct{}{}:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// dismiss closes the oldest connection on which nothing is being answered.
func (e *Endpoint) dismiss() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.open {
		if !c.heard {
			_ = c.Close()
			return
		}
	}
}

// hear notes whether a question is being answered.
func (e *Endpoint) hear(c *client, heard bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.heard = heard
}

// handle answers one question; there is no second one on a connection.
func (e *Endpoint) handle(conn *client) {
	defer func() {
		_ = conn.Close()
		e.mu.Lock()
		e.open = slices.DeleteFunc(e.open, func(c *client) bool { return c == conn })
		e.mu.Unlock()
	}()
	if e.ctx.Err() != nil { // Close may have missed it
		return
	}
	over := func() { _ = conn.SetDeadline(time.Unix(1, 0)) }
	patience := time.AfterFunc(e.o.Patience, over)
	head, err := readHead(conn)
	patience.Stop()
	_ = conn.SetDeadline(time.Time{})
	if errors.Is(err, errGone) {
		return
	}
	e.hear(conn, true)
	response := e.respond(head, err)
	patience.Reset(e.o.Patience)
	defer patience.Stop()
	_, err = conn.Write(response)
	e.hear(conn, false)
	if err == nil && len(e.slots) < cap(e.slots) { // else somebody waits for this one's
		linger(conn.Conn)
	}
}

// respond is the response to one request; err says why it could not be read.
func (e *Endpoint) respond(head []byte, err error) []byte {
	if err == nil {
		var g *granted
		if g, err = e.answer(head); err == nil {
			return g.response()
		}
	}
	var no *refusalError
	if !errors.As(err, &no) {
		no = errNotHTTP
	}
	return no.response(e.o.Protocol)
}

// answer goes the one way through: read, identify, decide, record. It fails with
// *refusalError.
func (e *Endpoint) answer(head []byte) (*granted, error) {
	r, err := parseHead(head)
	if err != nil {
		return nil, err
	}
	q, err := e.question(r)
	if err != nil {
		return nil, err
	}
	return e.give(q)
}

// linger lets the client read the answer before the connection is torn down, which a
// connection with unread bytes is at once.
func linger(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		var sink [1 << 10]byte
		for range 256 {
			if _, err := conn.Read(sink[:]); err != nil {
				return
			}
		}
	}
}
