package hybrid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// The sections that the worker reads.
const (
	sectionRequired = "worker-required"
	sectionOptional = "worker-optional"
	sectionMetadata = "metadata"
)

// brought are the worker's own values of options that no line gives.
var brought = map[string]string{
	"debug_traces":                         "false",
	"bypass_certificate_verification":      "false",
	"enforce_runbook_signature_validation": "true",
	"gpg_public_keyring_path":              "",
	"state_directory_path":                 "",
	"jrds_polling_frequency":               "15",
	"proxy_configuration_path":             "",
	"worker_type":                          "Unknown",
	"vm_id":                                "Unknown",
	"is_azure_vm":                          "False",
}

// Places are where the old worker's configurations lie on a host: that of a
// worker that somebody set up, that of older versions, and that of one that was
// registered by itself.
var Places = []string{
	"/home/nxautomation/state/worker.conf",
	"/var/opt/microsoft/omsagent/state/automationworker/diy/worker.conf",
	"/var/opt/microsoft/omsagent/state/automationworker/worker.conf",
}

// Enforcement is whether the worker asks gpg before it runs a runbook.
type Enforcement int

// The zero value is that it is not known: Python does not read the option.
const (
	EnforcementUnknown Enforcement = iota
	EnforcementOff
	EnforcementOn
)

// Setting is a line that the worker does not read.
type Setting struct {
	Section, Option string
	Line            int
}

// Conf is a worker.conf. Values of options that Python does not read are zero.
type Conf struct {
	Enforcement Enforcement
	// EnforcementLine is where enforcement is set; 0 if no line sets it.
	EnforcementLine int
	// Keyrings are the paths that signatures are verified by, blanks left out.
	Keyrings []string

	MachineID, Group, AccountID, WorkingDirectory string
	CertPath, KeyPath, BaseURI                    string
	StateDirectory, Proxy                         string
	Polling                                       string // "" if no line sets it
	WorkerType, VMID                              string
	Debug, Bypass                                 bool

	// Problems are why the worker does not start with this configuration; empty if
	// it does.
	Problems []error
	// Unread are the options that the worker does not read, by their lines.
	Unread []Setting
}

// number is what Python's int takes.
var number = lazyregexp.New(`^[+-]?\p{Nd}+(_\p{Nd}+)*$`)

// Parse reads a worker.conf. It fails with *SyntaxError if Python does not read
// it; what the worker then does not find in it is among the Problems.
func Parse(data []byte) (*Conf, error) {
	f, err := parse(data, brought)
	if err != nil {
		return nil, err
	}
	c := &Conf{}
	r := &reading{file: f, conf: c, asked: map[[2]string]bool{}}
	for option, to := range map[string]*string{
		"jrds_cert_path": &c.CertPath, "jrds_key_path": &c.KeyPath, "jrds_base_uri": &c.BaseURI, "account_id": &c.AccountID,
		"machine_id": &c.MachineID, "hybrid_worker_group_name": &c.Group, "working_directory_path": &c.WorkingDirectory,
	} {
		*to = r.text(sectionRequired, option)
	}
	for option, to := range map[string]*string{
		"state_directory_path": &c.StateDirectory, "proxy_configuration_path": &c.Proxy, "jrds_polling_frequency": &c.Polling,
	} {
		*to = r.text(sectionOptional, option)
	}
	c.WorkerType, c.VMID = r.text(sectionMetadata, "worker_type"), r.text(sectionMetadata, "vm_id")
	c.Debug, _ = r.truth(sectionOptional, "debug_traces")
	c.Bypass, _ = r.truth(sectionOptional, "bypass_certificate_verification")
	r.truth(sectionMetadata, "is_azure_vm")
	r.enforcement()
	for path := range strings.SplitSeq(r.text(sectionOptional, "gpg_public_keyring_path"), ",") {
		if path = strip(path); path != "" {
			c.Keyrings = append(c.Keyrings, path)
		}
	}
	if c.Polling != "" && !number.MatchString(strip(c.Polling)) {
		r.problem(&ValueError{sectionOptional, "jrds_polling_frequency", f.lineOf(sectionOptional, "jrds_polling_frequency"), fmt.Sprintf("is %q, which is no number to Python", clip(c.Polling))})
	}
	if f.lineOf(sectionOptional, "jrds_polling_frequency") == 0 {
		c.Polling = ""
	}
	slices.SortFunc(c.Problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	c.Unread = r.unread()
	return c, nil
}

// reading asks for the options as the worker does.
type reading struct {
	*file
	conf  *Conf
	asked map[[2]string]bool
}

func (r *reading) problem(err error) { r.conf.Problems = append(r.conf.Problems, err) }

func (r *reading) text(section, option string) string {
	r.asked[[2]string{section, option}] = true
	value, err := r.get(section, option)
	if err != nil {
		r.problem(err)
	}
	return value
}

func (r *reading) truth(section, option string) (value, known bool) {
	r.asked[[2]string{section, option}] = true
	value, err := r.boolean(section, option)
	if err != nil {
		r.problem(err)
	}
	return value, err == nil
}

func (r *reading) enforcement() {
	const option = "enforce_runbook_signature_validation"
	on, known := r.truth(sectionOptional, option)
	r.conf.EnforcementLine = r.lineOf(sectionOptional, option)
	switch {
	case !known:
		r.conf.Enforcement = EnforcementUnknown
	case on:
		r.conf.Enforcement = EnforcementOn
	default:
		r.conf.Enforcement = EnforcementOff
	}
}

// unread lists the options that nobody asked for. Those of [DEFAULT] are read
// through the sections that inherit them.
func (r *reading) unread() []Setting {
	inherited := map[string]bool{}
	for key := range r.asked {
		if e := r.sections[key[0]][key[1]]; e == nil {
			inherited[key[1]] = true
		}
	}
	var list []Setting
	for section, options := range r.sections {
		for option, e := range options {
			if !r.asked[[2]string{section, option}] {
				list = append(list, Setting{section, option, e.line})
			}
		}
	}
	for option, e := range r.defaults {
		if e.line > 0 && !inherited[option] {
			list = append(list, Setting{defaultSection, option, e.line})
		}
	}
	slices.SortFunc(list, func(a, b Setting) int { return a.Line - b.Line })
	return list
}
