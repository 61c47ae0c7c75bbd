package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity is how bad a finding is.
type Severity int

// The severities, the worst first.
const (
	Critical Severity = iota // whoever runs any runbook, or none, can have code of his own run or trusted
	High                     // one more mistake away from that, or nothing safe runs
	Medium                   // a control less
	Low                      // leftovers
	Info                     // nothing to mend by itself
)

var severityNames = []string{"critical", "high", "medium", "low", "info"}

func (s Severity) String() string { return severityNames[s] }

// MarshalText implements encoding.TextMarshaler in the form of String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Severities are the words that ParseSeverity knows, the worst first.
func Severities() []string { return slices.Clone(severityNames) }

// ParseSeverity reads the word of a severity.
func ParseSeverity(word string) (Severity, error) {
	if i := slices.Index(severityNames, word); i >= 0 {
		return Severity(i), nil
	}
	return Critical, fmt.Errorf("unknown severity %q: want one of %s", word, strings.Join(severityNames, ", "))
}

// Code is the stable word for a kind of finding.
type Code string

// Finding is one thing that should not be as it is. Where and Detail may hold
// what an attacker wrote.
type Finding struct {
	Code     Code
	Severity Severity
	Where    string // a path on the host
	Line     int    // 0 for the whole
	Detail   string
	Why      string
	// Mend are commands for a shell of root on the machine that examined, one after
	// the other; none if only people can mend it.
	Mend []string
	// Note says what to know before, or what to do if there is no command.
	Note string
}

// Unread is a place that could not be looked at.
type Unread struct{ Where, Detail string }

// Report is what was found. The lists are sorted, the worst first.
type Report struct {
	Root     string
	At       time.Time
	Findings []Finding
	Unread   []Unread
}

// Worst reports whether there is a finding of at least this severity.
func (r *Report) Worst(s Severity) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity <= s })
}

// Count is how many findings are of this severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (r *Report) finish() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Where, b.Where), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Detail, b.Detail))
	})
	slices.SortFunc(r.Unread, func(a, b Unread) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Detail, b.Detail))
	})
}

// kind is what all findings of a code share.
type kind struct {
	severity Severity
	why      string
}

// catalog has every code; docs/cli/doctor.md lists them.
var catalog = map[Code]kind{
	"old-worker":             {Info, "an old hybrid worker is set up here: it verifies less than writ does, and runs what writ would not"},
	"conf-unreadable":        {High, "Python does not read this configuration: what the worker does is not known"},
	"conf-writable":          {Critical, "whoever may write the configuration switches enforcement off or names a keyring of his own"},
	"enforcement-off":        {Critical, "the old worker runs every runbook, signed or not"},
	"enforcement-unknown":    {High, "Python reads no boolean here: the worker does not start, or another version of it decides"},
	"certificates-bypassed":  {High, "the worker takes runbooks from whoever answers in the place of its service"},
	"keyring-not-configured": {High, "every job fails, which drives people to switch enforcement off"},
	"keyring-missing":        {High, "every job that only this keyring verifies fails, and whoever may make the file decides who signs"},
	"keyring-writable":       {Critical, "whoever may write or replace the keyring decides who signs"},
	"keyring-secret-key":     {Critical, "whoever reads the keyring signs"},
	"keyring-unusable":       {Medium, "a trust store would refuse this keyring, and so does writ worker import"},
	"home-writable":          {High, "every runbook runs as one of those who may write here: it can change the worker and its settings for the next"},
	"gpg-runs-unsigned":      {Critical, "gpg --decrypt ends with 0 for a message that nobody signed, and the worker runs what gpg wrote"},
	"gpg-conf-keyring":       {Critical, "the worker's gpg reads this file: the line decides who signs, whatever keyring the worker names"},
	"gpg-conf-weakens":       {Critical, "the worker's gpg reads this file: the line lets pass what is not signed, or not by a good key"},
	"secret-keys":            {Critical, "a runbook can sign the next one: the keys of a worker's users are within reach of its runbooks"},
	"sudo-nopasswd":          {Critical, "a runbook becomes root: the signature is the only gate before that"},
	"leftover-unverified":    {Medium, "gpg left here the text of a runbook that it refused: the next program that looks for it may run it"},
	"extension-worker":       {Medium, "the worker that is an extension of the virtual machine has no public source; it does not verify PowerShell 7 runbooks"},
	"account-left":           {Low, "an account of the old worker is here, and no configuration of it: nobody needs it"},

	"no-config":              {Info, "there is no worker.yaml: what writ relies on was not looked at"},
	"config-unusable":        {High, "writ run refuses this configuration: nothing runs"},
	"config-writable":        {Critical, "whoever may write or replace the configuration decides whom writ trusts"},
	"trust-unusable":         {High, "writ run refuses this trust store: nothing runs"},
	"trust-writable":         {Critical, "whoever may write or replace a file of the trust store decides who signs"},
	"policy-missing":         {High, "without a policy nothing runs"},
	"policy-writable":        {Critical, "whoever may write or replace the policy decides what runs"},
	"ledger-missing":         {High, "without a place for the ledger nothing runs"},
	"ledger-writable":        {Critical, "whoever may write or replace the ledger can write another past"},
	"ledger-key-readable":    {High, "whoever reads the key, and may write the ledger, can sign another past"},
	"state-missing":          {High, "without its state folder writ cannot remember what may be used only once: nothing runs"},
	"state-writable":         {Critical, "whoever may write here lets a ticket count twice, or an older policy"},
	"program-writable":       {Critical, "whoever may write or replace the program decides everything"},
	"logs-missing":           {High, "writ run starts nothing whose output cannot be logged"},
	"logs-writable":          {High, "whoever may write here can take the output of a run away, or another's in its place"},
	"interpreter-writable":   {Critical, "whoever may write or replace an interpreter decides what a runbook does"},
	"sandbox-opens":          {Critical, "a runbook may write what writ relies on"},
	"clock-behind-ledger":    {High, "the clock is behind the last record: writ decides nothing until it is right"},
	"clock-before-build":     {High, "the clock is behind the making of this program: certificates and hours are judged by it"},
	"clock-not-synchronized": {Medium, "nothing keeps the clock right: certificates, hours and expiries are judged by it"},
	"ledger-space":           {High, "when the folder of the ledger is full nothing runs any more"},
	"temp-space":             {Medium, "runbooks get their private folders here, and fail when it is full"},
	"no-namespaces":          {Medium, "a rule that wants the sandbox strict denies here, unless it names another one, too"},
	"no-seccomp":             {High, "there are no sandboxes here: every rule denies that does not say none"},
	"no-landlock":            {Low, "the sandbox is one wall around files instead of two"},
	"no-noexec-seal":         {Low, "the memory that holds a script could be executed by itself"},
	"no-bubblewrap":          {Low, "the sandbox standard does without namespaces of its own"},
	"no-cgroup":              {Low, "the processes of a run have limits one by one, and none together"},
}
