package broker_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/worker/broker"
)

func TestAppServiceGivesTheTokenOfAGrantedAudience(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	got := r.send(r.head())
	want := map[string]any{
		"access_token": theToken + "-1", "expires_in": "3600", "expires_on": "1795352400", "resource": app, "token_type": "Bearer",
	}
	if diff := cmp.Diff(want, got.body); got.status != 200 || diff != "" {
		t.Errorf("%d %s", got.status, diff)
	}
	for name, value := range map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json; charset=utf-8", "Connection": "close"} {
		if got.header.Get(name) != value {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	recorded := []broker.Decision{{Audience: app, Allowed: true, Given: true, Expires: r.host.Now().Add(time.Hour)}}
	if diff := cmp.Diff(recorded, r.records()); diff != "" {
		t.Error(diff)
	}
	if r.env["MSI_SECRET"] != r.env["IDENTITY_HEADER"] || r.env["MSI_ENDPOINT"] != r.env["IDENTITY_ENDPOINT"] || len(r.env["IDENTITY_HEADER"]) != 64 {
		t.Errorf("%q", r.env)
	}
}

func TestATokenThatCannotBeKeptOutOfLogsIsNotHandedOut(t *testing.T) {
	t.Parallel()
	h, b := newHost(), &book{}
	made, err := broker.New(broker.Options{Source: h, Protocol: broker.AppService, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	e, err := made.Open(t.Context(), broker.Job{Audiences: []string{app}, Record: b.record, Given: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := &run{e, t, h, b, map[string]string{"IDENTITY_ENDPOINT": strings.TrimPrefix(e.Env()[0], "IDENTITY_ENDPOINT=")}}
	r.mustRefuse2(r.head(), 503, "source")
	if got := r.records(); len(got) != 2 || got[1].Given || got[1].Error == "" {
		t.Errorf("%+v", got)
	}
}

func TestWhoKeepsTokensOutOfLogsIsToldThemFirst(t *testing.T) {
	t.Parallel()
	h, b := newHost(), &book{}
	made, err := broker.New(broker.Options{Source: h, Protocol: broker.AppService, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 10)
	e, err := made.Open(t.Context(), broker.Job{Audiences: []string{app}, Record: b.record, Given: func(token string) bool { told <- token; return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := &run{e, t, h, b, map[string]string{"IDENTITY_ENDPOINT": strings.TrimPrefix(e.Env()[0], "IDENTITY_ENDPOINT=")}}
	token := r.mustGive(r.head())
	r.mustGive(r.head())
	r.mustRefuse2(r.head("resource="+app, "resource=other"), 403, "audience")
	b.fail(errDisk)
	h.pass(time.Hour)
	r.mustRefuse2(r.head(), 500, "record")
	if len(told) != 1 || <-told != token {
		t.Errorf("told %d tokens", len(told))
	}
}

func TestTheOldFormOfAppServiceIsAnswered(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	r.mustGive(r.head("2019-08-01", "2017-09-01&clientid=", "X-IDENTITY-HEADER", "Secret"))
	r.mustGive(r.head("/msi/token?", "/msi/token/?", "2019-08-01", "2017-09-01", "X-IDENTITY-HEADER", "secret")) // as the old libraries of Python
	r.mustRefuse2(r.head("2019-08-01", "2017-09-01"), 401, "secret")                                             // the header of the other version
	r.mustRefuse2(r.head("X-IDENTITY-HEADER", "Secret"), 401, "secret")
}

// mustRefuse2 is mustRefuse for a run whose source was asked before.
func (r *run) mustRefuse2(raw string, status int, code string) {
	r.t.Helper()
	if got := r.send(raw); got.status != status || got.code() != code || strings.Contains(got.text, theToken) {
		r.t.Errorf("want %d %s: %s", status, code, got.text)
	}
}

func TestArcNamesAFileAndWantsToSeeWhatIsInIt(t *testing.T) {
	t.Parallel()
	r := open(t, broker.Arc)
	for _, entry := range r.Env() {
		if strings.Contains(entry, string(r.Secret())) {
			t.Errorf("the environment holds the secret: %s", entry)
		}
	}
	got := r.send(r.head("Authorization: Basic "+string(r.Secret())+"\r\n", ""))
	if got.status != 401 || got.header.Get("Www-Authenticate") != "Basic realm="+secretIn || !strings.Contains(got.text, "\r\nWww-Authenticate: Basic realm=") {
		t.Errorf("%s", got.text)
	}
	if r.Refused() != 0 {
		t.Error("the first step of the protocol counts as a stranger's")
	}
	for _, other := range []string{"", "Metadata: false\r\n", "Metadata:\r\n"} {
		r.mustRefuse(r.head("Metadata: true\r\n", other), 400, "metadata")
	}
	for _, version := range []string{"2020-06-01", "2019-11-01"} {
		r.mustGive(r.head("2020-06-01", version, "Metadata: true", "METADATA: True"))
	}
	if got := r.send(r.head("resource="+app, "resource=other")); got.status != 403 || got.body["error"] != "access_denied" || got.code() != "audience" {
		t.Errorf("%s", got.text)
	}
}

func TestAnAudienceThatIsNotGrantedIsRefusedAndRecordedOnce(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	for range 3 {
		r.mustRefuse(r.head("resource="+app, "resource=https%3A%2F%2Fvault.azure.net"), 403, "audience")
	}
	if diff := cmp.Diff([]broker.Decision{{Audience: "https://vault.azure.net"}}, r.records()); diff != "" {
		t.Error(diff)
	}
}

func TestAudiencesAreComparedByteByByteButForOneSlash(t *testing.T) {
	t.Parallel()
	for resource, granted := range map[string]bool{
		"https%3A%2F%2Fmanagement.azure.com": true, "https%3A%2F%2Fmanagement.azure.com%2F": true, "https://management.azure.com/": true,
		"https://Management.azure.com": false, "https://management.azure.com/x": false, "https://management.azure.co": false,
		"api://" + app: false, strings.ToUpper(app): false,
	} {
		r := open(t, broker.AppService)
		got := r.send(r.head("resource="+app, "resource="+resource))
		if granted != (got.status == 200) || !granted && got.code() != "audience" {
			t.Errorf("%s: %s", resource, got.text)
		}
		// The source is asked for what the runbook asked for, not for what the list says.
		if granted && (got.body["resource"] != r.host.questions()[0] || strings.HasSuffix(r.host.questions()[0], "/") != (strings.HasSuffix(resource, "/") || strings.HasSuffix(resource, "%2F"))) {
			t.Errorf("%s: asked for %q", resource, r.host.questions())
		}
	}
}

func TestATokenThatCannotBeRecordedIsNotHandedOut(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	r.book.fail(errDisk)
	r.mustRefuse2(r.head(), 500, "record")
	r.mustRefuse2(r.head("resource="+app, "resource=other"), 500, "record")
	r.book.fail(nil)
	r.mustGive(r.head()) // and what was not handed out is not remembered as if it were
	if n := len(r.records()); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestATokenIsHandedOutAgainUntilShortlyBeforeItExpires(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	first := r.mustGive(r.head())
	r.host.pass(time.Hour - broker.Reserve - time.Second)
	if again := r.mustGive(r.head()); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	r.host.pass(time.Second)
	if later := r.mustGive(r.head()); later == first {
		t.Error("an old token was handed out")
	}
	if n := len(r.records()); n != 2 {
		t.Errorf("%d records", n)
	}
}

func TestASourceThatFailsIsRecordedAndGivesNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*host){
		"an error":         func(h *host) { h.err = errors.New("managed identity of imds: the answer has status 400") },
		"an expired token": func(h *host) { h.life = 0 },
		"an empty token":   func(h *host) { h.empty = true },
	} {
		r := open(t, broker.AppService)
		r.host.change(change)
		r.mustRefuse2(r.head(), 503, "source")
		got := r.records()
		if len(got) != 1 || !got[0].Allowed || got[0].Given || got[0].Error == "" || !got[0].Expires.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEachRunHasItsOwnSecretAndPort(t *testing.T) {
	t.Parallel()
	a, b := open(t, broker.AppService), open(t, broker.AppService)
	if string(a.Secret()) == string(b.Secret()) || a.address() == b.address() {
		t.Fatal("two runs share a secret or a port")
	}
	a.mustRefuse(a.head(string(a.Secret()), string(b.Secret())), 401, "secret")
	if a.Refused() != 1 || b.Refused() != 0 {
		t.Errorf("%d and %d refused", a.Refused(), b.Refused())
	}
}

func TestNothingAnswersWhenTheRunHasEnded(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	idle, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	r.Close()
	r.Close() // twice does no harm
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("an open connection was answered")
	}
	if conn, err := net.Dial("tcp", r.address()); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
}

func TestTheEndOfARunEndsAQuestionToTheSource(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	r.host.change(func(h *host) { h.wait = make(chan struct{}) })
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(r.head())); err != nil {
		t.Fatal(err)
	}
	r.Close() // returns although the source never answers
	if n := len(r.host.questions()); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

func TestARunThatIsToldToEndStillGetsTokens(t *testing.T) {
	t.Parallel()
	h, b := newHost(), &book{}
	made, err := broker.New(broker.Options{Source: h, Protocol: broker.AppService, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e, err := made.Open(ctx, broker.Job{Audiences: []string{app}, Record: b.record})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	cancel()
	r := &run{e, t, h, b, map[string]string{"IDENTITY_ENDPOINT": strings.TrimPrefix(e.Env()[0], "IDENTITY_ENDPOINT=")}}
	r.mustGive(r.head())
}

func TestManyQuestionsAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	r := open(t, broker.AppService)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { r.send(r.head()) })
	}
	all.Wait()
	if len(r.host.questions()) != 1 || len(r.records()) != 1 {
		t.Errorf("asked %d times, %d records", len(r.host.questions()), len(r.records()))
	}
}

func TestBrokersAndRunsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	h := newHost()
	for name, o := range map[string]broker.Options{
		"nothing": {}, "no source": {Protocol: broker.Arc}, "no protocol": {Source: h}, "an unknown protocol": {Source: h, Protocol: "imds"},
		"an odd client": {Source: h, Protocol: broker.AppService, ClientID: "a b"},
	} {
		if _, err := broker.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	record := (&book{}).record
	app := []string{app}
	for name, c := range map[string]struct {
		protocol broker.Protocol
		job      broker.Job
	}{
		"no audiences":          {broker.AppService, broker.Job{Record: record}},
		"no record":             {broker.AppService, broker.Job{Audiences: app}},
		"an odd audience":       {broker.AppService, broker.Job{Audiences: []string{"*"}, Record: record}},
		"no file for arc":       {broker.Arc, broker.Job{Audiences: app, Record: record}},
		"an odd file for arc":   {broker.Arc, broker.Job{Audiences: app, Record: record, SecretFile: "/tmp/a b.key"}},
		"a file with a = in it": {broker.Arc, broker.Job{Audiences: app, Record: record, SecretFile: "/tmp/a=b.key"}},
	} {
		b, err := broker.New(broker.Options{Source: h, Protocol: c.protocol})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := b.Open(t.Context(), c.job); err == nil {
			e.Close()
			t.Errorf("%s: no error", name)
		}
	}
	var none *broker.Broker
	if _, err := none.Open(t.Context(), broker.Job{Audiences: app, Record: record}); err == nil {
		t.Error("a broker that New did not make")
	}
}
