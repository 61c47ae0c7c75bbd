package hybrid

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/config"
)

// Into says where the parts of the new configuration lie, and what the old one
// may not say in a form that can be used. The paths are absolute.
type Into struct {
	Trust, Policy, Ledger, State string
	// ID and Group take the place of the old ones if they are not "".
	ID, Group string
	Now       time.Time
}

// Left is what was not carried over, and why.
type Left struct{ What, Why string }

// Carried is a worker.conf in our form.
type Carried struct {
	ID, Group    string
	Certificates []Certificate
	// Files are those of the new trust store, all of one store and its room openpgp;
	// none if the old worker had no keyring.
	Files []File
	// YAML is the new worker.yaml.
	YAML []byte
	// Warnings are what the old configuration did that nobody should rely on.
	Warnings []string
	Left     []Left
}

// Errors about a configuration that cannot be carried over.
var (
	ErrNoID           = errors.New("the worker has no machine_id that could be its id")
	ErrNoCertificates = errors.New("no certificate of its keyrings could be carried over: nothing could ever be valid")
)

// Carry makes of a configuration and the keyrings that it names what writ needs
// in its place. It fails with ErrNoID, with ErrNoCertificates, or if what it made
// cannot be read again.
func Carry(c *Conf, rings []Keyring, into Into) (*Carried, error) {
	made := &Carried{ID: cmp.Or(into.ID, c.MachineID), Group: cmp.Or(into.Group, c.Group)}
	var err error
	if made.Certificates, made.Files, err = certificates(rings, into.Now, made.leave); err != nil {
		return nil, err
	}
	made.warn(c)
	made.leaveBehind(c)
	if bad := config.NameProblem(made.ID); bad != "" {
		return made, fmt.Errorf("%w: %q: %s", ErrNoID, clip(made.ID), bad)
	}
	if bad := config.NameProblem(made.Group); bad != "" {
		if made.Group != "" {
			made.leave("hybrid_worker_group_name", fmt.Sprintf("%q cannot be the name of a group: %s; the worker has none", clip(made.Group), bad))
		}
		made.Group = ""
	}
	if len(made.Certificates) == 0 && len(rings) > 0 {
		return made, ErrNoCertificates
	}
	if made.YAML, err = made.yaml(into); err != nil {
		return nil, err
	}
	w, err := config.Parse("worker.yaml", made.YAML)
	if err != nil {
		return nil, err
	}
	if w.ID != made.ID || w.Group != made.Group || w.Trust != into.Trust || w.Policy != into.Policy || w.Ledger != into.Ledger || w.State != into.State {
		return nil, errors.New("the new configuration would not be read as it was meant")
	}
	return made, nil
}

func (m *Carried) leave(what, why string) { m.Left = append(m.Left, Left{what, why}) }

func (m *Carried) warn(c *Conf) {
	say := func(format string, args ...any) { m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...)) }
	switch c.Enforcement {
	case EnforcementOn:
	case EnforcementOff:
		say("ENFORCEMENT WAS OFF: the old worker ran every runbook, signed or not. writ runs none that is not signed, and this cannot be switched off: sign them first")
	case EnforcementUnknown:
		say("whether the old worker enforced signatures is not known: Python cannot read the option. writ always does")
	}
	if n := len(c.Problems); n > 0 {
		say("the old worker does not start with this configuration: %v (%d in all)", c.Problems[0], n)
	}
	if len(c.Keyrings) == 0 {
		say("the old worker had no keyring: there is nobody to trust, no trust store is made, and nothing runs until you have made one")
	}
	if c.Bypass {
		say("the old worker did not verify the certificate of the service that it got its runbooks from: any of them may have been another's")
	}
	for _, cert := range m.Certificates {
		if cert.Problem != "" {
			say("the certificate %s (%s) signs nothing today: %s; gpg did not mind", cert.Fingerprint, clip(cert.Name), cert.Problem)
		}
	}
}

// leaveBehind says what has no counterpart.
func (m *Carried) leaveBehind(c *Conf) {
	const service = "writ asks no service for jobs: whoever has a job calls writ run"
	for _, x := range []struct{ option, value, why string }{
		{"working_directory_path", c.WorkingDirectory, "a runbook is never written into a folder and run from there: it gets a private folder for each job, which is removed; one that needs this folder in the sandbox strict needs it under run.sandbox.write"},
		{"jrds_base_uri", c.BaseURI, service},
		{"account_id", c.AccountID, service},
		{"jrds_cert_path", c.CertPath, service},
		{"jrds_key_path", c.KeyPath, service + "; the key is of no use any more: remove it"},
		{"jrds_polling_frequency", c.Polling, service},
		{"proxy_configuration_path", c.Proxy, service + ", and nothing of a run uses a network of its own"},
		{"state_directory_path", c.StateDirectory, "what it held was of the old worker's processes"},
		{"debug_traces", word(c.Debug), "what was decided and run is in the ledger"},
		{"bypass_certificate_verification", word(c.Bypass), "nothing of writ has such a switch"},
		{"worker_type", strings.TrimPrefix(c.WorkerType, "Unknown"), "there is one kind of worker only"},
		{"vm_id", strings.TrimPrefix(c.VMID, "Unknown"), "writ does not ask on which machine it runs: put it under labels if a rule of the policy needs it"},
	} {
		if x.value != "" {
			m.leave(x.option, x.why)
		}
	}
	m.leave("the account nxautomation", "a gate that is root runs runbooks as nobody, as run.user of worker.yaml, or as the policy says; sudo works in the sandbox none only")
	for _, s := range c.Unread {
		m.leave(fmt.Sprintf("line %d: [%s] %s", s.Line, s.Section, s.Option), "the old worker did not read it either")
	}
}

func word(on bool) string {
	if on {
		return "true"
	}
	return ""
}

// yaml writes the configuration. A JSON string is a YAML string.
func (m *Carried) yaml(into Into) ([]byte, error) {
	var b strings.Builder
	b.WriteString("version: 1\n")
	for _, x := range [][2]string{{"id", m.ID}, {"group", m.Group}, {"trust", into.Trust}, {"policy", into.Policy}, {"ledger", into.Ledger}, {"state", into.State}} {
		if x[1] == "" {
			continue
		}
		value, err := json.Marshal(x[1])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s: %s\n", x[0], value)
	}
	return []byte(b.String()), nil
}
