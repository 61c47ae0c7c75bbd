package broker_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/broker"
)

// each runs a test for both protocols.
func each(t *testing.T, f func(t *testing.T, r *run), change ...func(*broker.Options)) {
	t.Helper()
	for _, p := range broker.Protocols() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			f(t, open(t, p, change...))
		})
	}
}

// header adds one to a request.
func header(line string) []string { return []string{"\r\n\r\n", "\r\n" + line + "\r\n\r\n"} }

func TestAttackOtherProcessWithoutTheSecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		secret := string(r.Secret())
		for _, other := range []string{"", "x", strings.Repeat("0", 64), strings.ToUpper(secret) + "x", secret[:63], secret + "0", " Basic " + secret + secret} {
			r.mustRefuse(r.head(secret, other), 401, "secret")
		}
		r.mustRefuse(r.head(secret, strings.Repeat("\t", 3)), 401, "secret")
		if got := r.Refused(); got != 8 {
			t.Errorf("%d were counted", got)
		}
		if len(r.records()) != 0 {
			t.Error("a stranger writes into the ledger")
		}
	})
}

// TestAttackProbeForAudiences: who has no secret learns nothing about what is granted.
func TestAttackProbeForAudiences(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		secret := string(r.Secret())
		granted := r.send(r.head(secret, "x"))
		other := r.send(r.head(secret, "x", "resource="+app, "resource=other"))
		if granted.text != other.text {
			t.Errorf("%s\n%s", granted.text, other.text)
		}
	})
}

// TestAttackDNSRebinding: a page whose name now means 127.0.0.1.
func TestAttackDNSRebinding(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		host := "Host: " + r.address()
		for _, other := range []string{"Host: evil.example", "Host: localhost", "Host: 127.0.0.1", "Host: 127.0.0.1:1", "Host: evil.example:" + r.address()[len("127.0.0.1:"):], "Host:", "X-A: b"} {
			r.mustRefuse(r.head(host, other), 400, "host")
		}
		r.mustRefuse(r.head(host, host+"\r\nHost: evil.example"), 400, "header-twice")
	})
}

// TestAttackForwardedRequest: a proxy in the runbook's reach that passes on requests of
// others, as to IMDS.
func TestAttackForwardedRequest(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		for _, line := range []string{
			"X-Forwarded-For: 192.0.2.1", "x-forwarded-host: a", "X-FORWARDED-FOR:", "Forwarded: for=192.0.2.1", "Via: 1.1 proxy", "X-Real-IP: 192.0.2.1", "X-Original-URL: /",
			"Origin: https://evil.example", "Referer: https://evil.example/", "Sec-Fetch-Mode: no-cors", "Cookie: a=b",
		} {
			r.mustRefuse(r.head(header(line)...), 400, "forwarded")
		}
	})
}

func TestAttackOtherMethods(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		for _, method := range []string{"POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "GETX"} {
			r.mustRefuse(r.head("GET", method), 405, "method")
		}
		r.mustRefuse(strings.TrimSuffix(r.head("GET", "POST"), "\r\n")+"Content-Length: 5\r\n\r\nhello", 400, "body")
	})
}

func TestAttackBodyOrSecondRequest(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		r.mustRefuse(r.head(header("Content-Length: 5")...), 400, "body")
		r.mustRefuse(r.head(header("Content-Length: +0")...), 400, "body")
		r.mustRefuse(r.head(header("Transfer-Encoding: chunked")...), 400, "body")
		r.mustRefuse(r.head(header("Transfer-Encoding:")...), 400, "body")
		r.mustRefuse(r.head()+r.head(), 400, "body")
	})
}

func TestAttackHugeHeaders(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		r.mustRefuse(r.head(header("X-A: "+strings.Repeat("a", broker.MaxHead))...), 431, "too-large")
		r.mustRefuse(r.head(header(strings.Repeat("A: b\r\n", 4_000)+"A: b")...), 431, "too-large")
		r.mustRefuse(r.head("resource=", "resource="+strings.Repeat("a", 1<<20)), 431, "too-large")
		r.mustRefuse(r.head("resource=", "resource="+strings.Repeat("a", 4_000)), 400, "resource")
		exact := broker.MaxHead - len(r.head()) - len("X-A: \r\n")
		r.mustRefuse(r.head(header("X-A: "+strings.Repeat("a", exact+1))...), 431, "too-large")
		r.mustGive(r.head(header("X-A: " + strings.Repeat("a", exact))...))
	})
}

// TestAttackSlowLoris: clients that never come to the end of their question.
func TestAttackSlowLoris(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		var slow []net.Conn
		for range broker.MaxClients / 2 {
			conn, err := net.Dial("tcp", r.address())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, r.head()[:40]); err != nil {
				t.Fatal(err)
			}
			slow = append(slow, conn)
		}
		r.mustGiveInTheEnd()
		for _, conn := range slow {
			if got := r.receive(conn); got.status != 408 || got.code() != "too-slow" {
				t.Fatalf("%s", got.text)
			}
		}
	}, func(o *broker.Options) { o.Patience = 200 * time.Millisecond })
}

// TestAttackSlowLorisKeepsTheRunbookWaiting: more of them than are served at a time, and
// nobody's time is up.
func TestAttackSlowLorisKeepsTheRunbookWaiting(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *run) {
		for i := range 3 * broker.MaxClients {
			conn, err := net.Dial("tcp", r.address())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			text := r.head()[:40]
			if i%2 == 0 { // this one does not take its answer
				text = r.head(string(r.Secret()), "x")
			}
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
		}
		r.mustGive(r.head())
	}, func(o *broker.Options) { o.Patience = time.Hour })
}

// TestAttackManyConnections: more than are served at a time, some of which are gone
// before it is their turn.
func TestAttackManyConnections(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService, func(o *broker.Options) { o.Patience = 100 * time.Millisecond })
	for i := range 8 * broker.MaxClients {
		conn, err := net.Dial("tcp", r.address())
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_ = conn.Close()
		} else {
			defer func() { _ = conn.Close() }()
		}
	}
	r.mustGiveInTheEnd()
}

// mustGiveInTheEnd is mustGive where so little patience is set that a busy machine may be
// too slow for it.
func (r *run) mustGiveInTheEnd() {
	r.t.Helper()
	for range 20 {
		if got := r.send(r.head()); got.status != 408 {
			break
		}
	}
	r.mustGive(r.head())
}

func TestAttackWrongAPIVersion(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		version := "api-version=2019-08-01"
		if !strings.Contains(r.head(), version) {
			version = "api-version=2020-06-01"
		}
		for _, other := range []string{"api-version=2018-02-01", "api-version=", "api-version=2019-08-01%20", "api-version=2019-07-01-preview"} {
			r.mustRefuse(r.head(version, other), 400, "api-version")
		}
		r.mustRefuse(strings.NewReplacer("?"+version+"&", "?", "&"+version, "").Replace(r.head()), 400, "api-version")
	})
}

// TestAttackTwoResourceParameters: one that is granted for who decides, another one for
// who asks the source.
func TestAttackTwoResourceParameters(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		r.mustRefuse(r.head("resource="+app, "resource="+app+"&resource=other"), 400, "parameter-twice")
		r.mustRefuse(r.head("resource="+app, "resource=other&resource="+app), 400, "parameter-twice")
		for _, other := range []string{
			"resource=" + app + "&Resource=other", "resource=" + app + "&resourc%65=other", "resource=" + app + ";resource=other", "resource[]=" + app, "resource", "resource=" + app + "&",
			"resource=" + app + "&claims=x", "resource=%zz", "resource=" + app + "&scope=other",
		} {
			code := "parameters"
			if strings.Contains(other, ";") {
				code = "resource"
			}
			r.mustRefuse(r.head("resource="+app, other), 400, code)
		}
		for _, other := range []string{app + "%26resource%3Dother", app + "%00", app + "%0d%0aX-A:%20b", "", app + "+other", app + "%2Fother", "..%2f" + app} {
			r.mustRefuse(r.head("resource="+app, "resource="+other), 400, "resource")
		}
	})
}

// TestAttackScopeInPlaceOfAnAudience: libraries cut "/.default" off, so that the token
// would be for another audience than was decided on.
func TestAttackScopeInPlaceOfAnAudience(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		for _, other := range []string{azure + "/.default", azure + "//.default", azure + "%2f.default", app + "/.default"} {
			r.mustRefuse(r.head("resource="+app, "resource="+other), 400, "resource")
		}
	})
}

func TestAttackClientIDOfAnotherIdentity(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"", "0c0c0c0c-0000-0000-0000-000000000001"} {
		r := open(t, broker.AppService, func(o *broker.Options) { o.ClientID = own })
		for _, name := range []string{"client_id", "clientid", "object_id", "principal_id", "mi_res_id", "msi_res_id"} {
			r.mustRefuse(r.head("resource=", name+"=0c0c0c0c-0000-0000-0000-000000000002&resource="), 400, "identity")
			if own != "" && !strings.HasPrefix(name, "client") {
				r.mustRefuse(r.head("resource=", name+"="+own+"&resource="), 400, "identity")
			}
		}
		if own != "" {
			if got := r.send(r.head("resource=", "client_id="+own+"&resource=")); got.status != 200 || got.body["client_id"] != own {
				t.Errorf("%s", got.text)
			}
		}
	}
}

func TestAttackOtherPaths(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		for _, path := range []string{"/", "//", "/msi/token//", "/MSI/TOKEN", "/msi/../msi/token", "/msi%2ftoken", "/metadata/instance", "/metadata/identity/oauth2/token/x"} {
			target := strings.Fields(r.head())[1]
			own, _, _ := strings.Cut(target, "?")
			r.mustRefuse(r.head(own+"?", path+"?"), 404, "path")
		}
	})
}

// TestAttackTextThatOthersReadDifferently: forms of HTTP in which two readers see two
// requests.
func TestAttackTextThatOthersReadDifferently(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, r *run) {
		secret := string(r.Secret())
		r.mustRefuse(r.head(secret, secret+"\r\nX-Identity-Header: x\r\nAuthorization: x"), 400, "header-twice")
		for _, change := range [][]string{
			{"HTTP/1.1", "HTTP/1.0"}, {"HTTP/1.1", "HTTP/2.0"}, {"HTTP/1.1", ""}, {"GET /", "GET  /"}, {"GET /", "GET http://" + r.address() + "/"}, {"GET /", "/"}, {"GET ", ""}, {"GET /", " /"},
			header(" folded: line"), header("no colon"), header("Sp ace: x"), header("Space : x"), header(": x"), header("X-A: a\nX-B: b"), header("X-A: a\rX-B: b"), header("X-A: \x00"),
			header("X-A: \u00e9"), header("X-A: \x7f"), {"\r\nHost", "\nHost"}, {"\r\n\r\n", "\r\n\n\r\n\r\n"},
		} {
			r.mustRefuse(r.head(change...), 400, "not-http")
		}
	})
}

// TestAttackFloodOfQuestions: a runbook that asks without end.
func TestAttackFloodOfQuestions(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	for range broker.Burst {
		r.Respond([]byte(r.head()))
	}
	got := r.parse(r.Respond([]byte(r.head())))
	if got.status != 429 || got.code() != "too-many" || got.header.Get("Retry-After") != "1" {
		t.Errorf("%s", got.text)
	}
	r.host.pass(broker.Pace)
	r.mustGive(r.head())
	r.mustRefuse2(r.head(), 429, "too-many")
	r.host.pass(-time.Hour) // a clock that is put back gives nothing, and takes nothing for good
	r.mustRefuse2(r.head(), 429, "too-many")
	r.host.pass(broker.Pace)
	r.mustGive(r.head())
}

// TestAttackFloodOfAudiences: a runbook that fills the ledger with what it asks for.
func TestAttackFloodOfAudiences(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	for i := range 2 * broker.MaxRecords {
		r.host.pass(broker.Pace)
		r.Respond([]byte(r.head("resource="+app, fmt.Sprintf("resource=app-%d", i))))
	}
	if n := len(r.records()); n != broker.MaxRecords {
		t.Errorf("%d records", n)
	}
	r.host.pass(broker.Pace)
	r.mustRefuse2(r.head(), 500, "record") // and what is not recorded is not handed out
}
