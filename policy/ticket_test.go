package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

const schedulerKey = "openpgp:5555555555555555555555555555555555555555"

// ticketRule lets bob have restarted what a scheduler says that he asks for.
var ticketRule = peopleYAML + strings.NewReplacer("signed_by: {groups: [release]}", "signed_by: {people: [carol]}",
	"requested_by: {groups: [operators]}", "requested_by: {people: [bob], assurance: [ticket]}").Replace(restartRule)

// ticketFor is a request of bob with a ticket for the file.
func ticketFor(file runbook.Digest) *policy.TicketRequest {
	now := good().NowNS
	return &policy.TicketRequest{
		Facts: policy.Ticket{
			SHA256: runbook.DigestOf([]byte("ticket")), Verdict: "valid", Issuer: schedulerKey,
			Signatures: []policy.ApprovalSignature{{Verdict: "valid", IDs: []string{schedulerKey}}},
			Runbook:    "restart.sh", RunbookSHA256: file, ParametersMatch: true, WorkerGroup: "web",
			NotBeforeNS: now - int64(time.Minute), ExpiresNS: now + int64(time.Hour), Nonce: "00112233445566778899aabbccddeeff",
		},
		Caller: policy.Caller{Kind: "user", ID: "os:bob", Groups: []string{"os-group:wheel"}, GroupsComplete: true, Assurance: "real-uid"},
		Job:    map[string]string{"id": "4711", "trigger": "schedule"},
	}
}

// asked puts the question with a ticket; the process is root's.
func asked(t *testing.T, change func(*policy.TicketRequest)) policy.Input {
	t.Helper()
	file := verified(t, "restart.sh.asc", carolSigner)
	ticket := ticketFor(file.Report().File)
	change(ticket)
	in, err := policy.NewInput(file, policy.Request{
		Path: "/srv/runbooks/restart.sh.asc", Now: time.Unix(0, good().NowNS), Ticket: ticket,
		Caller: policy.Caller{Kind: "os-user", ID: "os:root", Assurance: "real-uid"}, Worker: good().Worker, Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestATicketSaysWhoAsks(t *testing.T) {
	t.Parallel()
	e := engine(t, ticketRule)
	in := asked(t, func(*policy.TicketRequest) {})
	if in.Caller.ID != "os:bob" || in.Caller.Assurance != policy.AssuranceTicket || in.Caller.Issuer != schedulerKey || in.Job["id"] != "4711" {
		t.Errorf("%+v, %v", in.Caller, in.Job)
	}
	d := e.Decide(t.Context(), in)
	permit, err := d.Permit()
	if err != nil {
		t.Fatalf("%+v", d.Deny)
	}
	if u := permit.Uses(); len(u) != 1 || u[0].Kind != policy.UseTicket || u[0].Key != "00112233445566778899aabbccddeeff" || u[0].Limit != 1 || u[0].Gone.Code != policy.CodeTicketUsed {
		t.Errorf("%+v", u)
	}
	if d := e.Decide(t.Context(), asked(t, func(r *policy.TicketRequest) { r.Facts.WorkerGroup, r.Facts.WorkerID = "", "w1" })); !d.Allow {
		t.Errorf("for this worker: %+v", d.Deny)
	}
	in.Job["id"] = "4712"
	mustDeny(t, e.Decide(t.Context(), in), "input-invalid") // it was changed
}

func TestATicketThatIsNotForThisRunDenies(t *testing.T) {
	t.Parallel()
	// The rule would let anybody run it, and the glass is broken: a ticket is a hard check.
	e := engine(t, strings.Replace(ticketRule, "requested_by: {people: [bob], assurance: [ticket]}", "requested_by: {anyone: true}", 1)+glassSection)
	for _, tt := range []struct {
		name, code, said string
		change           func(*policy.TicketRequest)
	}{
		{"a replayed ticket", "ticket-used", "has been used already", func(r *policy.TicketRequest) { r.Facts.Used = true }},
		{"a ticket for another worker", "ticket-mismatch", "for the worker w2 of the group (any)", func(r *policy.TicketRequest) { r.Facts.WorkerGroup, r.Facts.WorkerID = "", "w2" }},
		{"a ticket for another worker of the group", "ticket-mismatch", "for the worker w2 of the group web", func(r *policy.TicketRequest) { r.Facts.WorkerID = "w2" }},
		{"a ticket for another group", "ticket-mismatch", "of the group db", func(r *policy.TicketRequest) { r.Facts.WorkerGroup = "db" }},
		{"a ticket for no worker", "ticket-mismatch", "worker (any)", func(r *policy.TicketRequest) { r.Facts.WorkerGroup = "" }},
		{"a ticket for another digest", "ticket-mismatch", "another version of the file", func(r *policy.TicketRequest) { r.Facts.RunbookSHA256 = runbook.DigestOf([]byte("x")) }},
		{"a ticket for another runbook", "ticket-mismatch", "the runbook other.sh", func(r *policy.TicketRequest) { r.Facts.Runbook = "other.sh" }},
		{"a ticket for a project", "ticket-mismatch", "all files of a project", func(r *policy.TicketRequest) { r.Facts.ManifestSHA256 = runbook.DigestOf([]byte("x")) }},
		{"a ticket for other parameters", "ticket-mismatch", "other parameters", func(r *policy.TicketRequest) { r.Facts.ParametersMatch = false }},
		{"an expired ticket", "ticket-out-of-time", "it expired at", func(r *policy.TicketRequest) { r.Facts.ExpiresNS = good().NowNS }},
		{"a ticket that does not hold yet", "ticket-out-of-time", "it holds from", func(r *policy.TicketRequest) { r.Facts.NotBeforeNS = good().NowNS + 1 }},
		{"a ticket that lasts too long", "ticket-out-of-time", "the limit is 24h0m0s", func(r *policy.TicketRequest) { r.Facts.ExpiresNS += int64(24 * time.Hour) }},
		{"a ticket by a stranger", "ticket-not-valid", "untrusted, not valid", func(r *policy.TicketRequest) { r.Facts.Verdict = "untrusted" }},
		{"a ticket by nobody who may issue one", "ticket-issuer-unknown", "nobody who may issue", func(r *policy.TicketRequest) { r.Facts.Issuer = "" }},
		{"a ticket whose issuer has not signed", "ticket-issuer-unknown", "nobody who may issue", func(r *policy.TicketRequest) { r.Facts.Signatures[0].IDs[0] = aliceKey }},
		{"a ticket whose signature is for something else", "ticket-issuer-unknown", "nobody who may issue", func(r *policy.TicketRequest) { r.Facts.Signatures[0].Verdict = "claim-contradicts" }},
		{"an approval offered as a ticket", "ticket-not-valid", "wrong-purpose", func(r *policy.TicketRequest) { r.Facts.Verdict = "wrong-purpose" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := asked(t, tt.change)
			d := e.Decide(t.Context(), in)
			mustDeny(t, d, tt.code)
			if !strings.Contains(d.Deny[0].Msg, tt.said) {
				t.Errorf("%q does not say %q", d.Deny[0].Msg, tt.said)
			}
			if believed := tt.code != "ticket-not-valid" && tt.code != "ticket-issuer-unknown"; believed != (in.Caller.Assurance == policy.AssuranceTicket) || believed != (len(in.Job) > 0) {
				t.Errorf("the caller is %+v, the job %v", in.Caller, in.Job)
			}
		})
	}
}

func TestTicketsThatCannotBeDecidedOnAreRefused(t *testing.T) {
	t.Parallel()
	e := engine(t, ticketRule)
	for name, spoil := range map[string]func(*policy.Input){
		"no digest":          func(in *policy.Input) { in.Ticket.SHA256 = runbook.Digest{} },
		"no nonce":           func(in *policy.Input) { in.Ticket.Nonce = "" },
		"no time":            func(in *policy.Input) { in.Ticket.NotBeforeNS = 0 },
		"a hidden character": func(in *policy.Input) { in.Ticket.WorkerID = "\u202e" },
		"many signatures":    func(in *policy.Input) { in.Ticket.Signatures = make([]policy.ApprovalSignature, 65) },
		"many identities":    func(in *policy.Input) { in.Ticket.Signatures[0].IDs = make([]string, 17) },
		"an unknown field":   func(in *policy.Input) { in.Job["x"] = "y" },
		"a hidden job":       func(in *policy.Input) { in.Job["id"] = "\u202e" },
	} {
		in := good()
		facts := ticketFor(in.Runbook.SHA256).Facts
		in.Ticket = &facts
		spoil(&in)
		d := e.Decide(t.Context(), in)
		mustDeny(t, d, "input-invalid")
		if !strings.Contains(d.Deny[0].Msg, "ticket") && !strings.Contains(d.Deny[0].Msg, "job") {
			t.Errorf("%s: %+v", name, d.Deny[0])
		}
	}
}
