// Package abilities finds out what this host can give to contain runbooks, by trying
// it, and says why it cannot.
//
// It speaks for the user that asks, at this moment: another user may be allowed more
// or less, and so may a service, whose manager can forbid what a shell may. Nothing is
// changed, and what was started for a try has ended when the answer is given.
package abilities

import "context"

// The abilities, by what depends on them.
const (
	// Namespaces: a job sees only its own processes and a root folder of its own.
	// Without them there is no profile strict.
	Namespaces = "namespaces"
	// Seccomp: system calls that no job needs are refused. Without it there are
	// neither strict nor standard.
	Seccomp = "seccomp"
	// Landlock: a second wall around files, signals and sockets. Without it there is
	// one wall.
	Landlock = "landlock"
	// NoExecSeal: the memory that holds a script can never be executed by itself.
	NoExecSeal = "memfd-noexec-seal"
	// Bubblewrap: standard has namespaces where this program can make them.
	Bubblewrap = "bwrap"
	// ControlGroups: all processes of a job together have limits.
	ControlGroups = "cgroup"
)

// Ability is one of them.
type Ability struct {
	Name string `json:"name"`
	// Has is false also where it could not be found out.
	Has bool `json:"has"`
	// Detail says what there is, or why there is none and what would give it.
	Detail string `json:"detail"`
}

// Look tries all of them, always in the same order, until ctx ends. group is the
// control group that is configured, "" for none.
func Look(ctx context.Context, group string) []Ability {
	tries := []struct {
		name string
		try  func() (detail string, err error)
	}{
		{Namespaces, func() (string, error) { return namespaces(ctx) }},
		{Seccomp, seccomp},
		{Landlock, landlock},
		{NoExecSeal, noExecSeal},
		{Bubblewrap, func() (string, error) { return bubblewrap(ctx) }},
		{ControlGroups, func() (string, error) { return controlGroups(group) }},
	}
	list := make([]Ability, 0, len(tries))
	for _, t := range tries {
		detail, err := t.try()
		if err != nil {
			detail = err.Error()
		}
		list = append(list, Ability{Name: t.name, Has: err == nil, Detail: detail})
	}
	return list
}
