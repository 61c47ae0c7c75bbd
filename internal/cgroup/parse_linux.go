package cgroup

import (
	"slices"
	"strconv"
	"strings"
)

// parseMembership reads /proc/PID/cgroup (cgroups(7)): lines of "number:controllers:group".
// The group of version 2 is found under the name "".
func parseMembership(text string) map[string]string {
	groups := map[string]string{}
	for l := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(l, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups
}

// mount is one place where a hierarchy of groups can be seen.
type mount struct {
	// root is the group that is seen at point.
	root, point string
	controllers []string
}

// parseMounts reads the hierarchies from /proc/PID/mountinfo (proc(5)).
func parseMounts(text string) []mount {
	var mounts []mount
	for l := range strings.Lines(text) {
		before, after, ok := strings.Cut(l, " - ")
		fields, system := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(system) < 3 {
			continue
		}
		m := mount{root: unescape(fields[3]), point: unescape(fields[4])}
		switch system[0] {
		case "cgroup2":
			m.controllers = []string{""}
		case "cgroup":
			// Controllers stand among the options; the others are no controllers' names.
			m.controllers = slices.DeleteFunc(strings.Split(system[2], ","), func(option string) bool {
				return option == "" || strings.Contains(option, "=")
			})
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// unescape reads blanks and the like, which are written as octal numbers.
func unescape(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		if s[0] == '\\' && len(s) >= 4 {
			if n, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				s = s[4:]
				continue
			}
		}
		out.WriteByte(s[0])
		s = s[1:]
	}
	return out.String()
}
