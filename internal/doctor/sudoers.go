package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/lazyregexp"
)

// Limits of what is read of sudoers.
const (
	maxSudoers      = 4 << 20 // bytes of a file
	maxSudoersFiles = 500
	maxSudoersRules = 20_000
	maxIncludes     = 16 // inside one another
	maxAliases      = 16 // inside one another
)

// sudoers is what was read of /etc/sudoers and of what it includes.
type sudoers struct {
	aliases map[string][]string // of users
	rules   []sudoRule
	// paths are those of Defaults secure_path, by the account to run as; "" for all.
	paths map[string]string
	files map[string]bool // that were read
}

// sudoRule is a line that lets users run something without a password.
type sudoRule struct {
	file        string
	first, last int      // its lines
	users       []string // who, as the line has it
	text        string
}

// logical is one line of a file with those that go on with it.
type logical struct {
	first, last int
	text        string
}

// logicalLines joins lines that end in a backslash, and cuts comments off. A
// comment ends with its line, whatever that ends in.
func logicalLines(data []byte) []logical {
	var list []logical
	var open *logical
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if open == nil {
			list = append(list, logical{first: number})
			open = &list[len(list)-1]
		}
		open.last = number
		whole := open.text + line
		if open.first == number && include.MatchString(strings.TrimSpace(line)) {
			open.text, open = whole, nil
			continue
		}
		text := uncomment(whole)
		more := false
		if len(text) == len(whole) {
			text, more = strings.CutSuffix(text, `\`)
		}
		open.text = text
		if !more {
			open = nil
		}
	}
	return list
}

// uncomment cuts a comment off. "#" before a digit is the number of an account.
func uncomment(line string) string {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted:
			if i+1 < len(line) && line[i+1] >= '0' && line[i+1] <= '9' {
				continue
			}
			return line[:i]
		}
	}
	return line
}

var (
	// passwordless is the tag, or the setting, by which nobody is asked.
	passwordless = lazyregexp.New(`(?:^|[^A-Za-z0-9_])NOPASSWD[ \t]*:`)
	unasked      = lazyregexp.New(`(?:^|[ \t,])![ \t]*authenticate(?:$|[ \t,])`)
	securePath   = lazyregexp.New(`(?:^|[ \t,])secure_path[ \t]*\+?=[ \t]*(?:"([^"]*)"|([^ \t,]+))`)
	include      = lazyregexp.New(`^[@#](include|includedir)[ \t]+(?:"([^"]+)"|([^ \t"].*))$`)
	userAlias    = lazyregexp.New(`^User_Alias[ \t]+(.*)$`)
	otherAlias   = lazyregexp.New(`^(?:Runas|Host|Cmnd|Cmd)_Alias[ \t]`)
	setting      = lazyregexp.New(`^Defaults([@:!>]?)[ \t]*(.*)$`)
)

// take reads the lines of one file; those that include others go to other.
func (s *sudoers) take(file string, data []byte, other func(dir bool, p string)) error {
	for _, line := range logicalLines(data) {
		text := strings.TrimSpace(line.text)
		if m := include.FindStringSubmatch(text); m != nil {
			p := m[2] + strings.ReplaceAll(strings.TrimSpace(m[3]), `\ `, " ")
			if !strings.HasPrefix(p, "/") {
				p = path.Join(path.Dir(file), p)
			}
			other(m[1] == "includedir", p)
			continue
		}
		if text == "" || otherAlias.MatchString(text) {
			continue
		}
		if len(s.rules) > maxSudoersRules || len(s.aliases) > maxSudoersRules {
			return errTooMany
		}
		switch m, d := userAlias.FindStringSubmatch(text), setting.FindStringSubmatch(text); {
		case m != nil:
			s.alias(m[1])
		case d != nil:
			s.setting(file, line, d[1], d[2], text)
		default:
			users, rest := userList(text)
			if passwordless.MatchString(rest) {
				s.rules = append(s.rules, sudoRule{file, line.first, line.last, users, text})
			}
		}
	}
	return nil
}

// alias reads NAME = USERS : NAME = USERS.
func (s *sudoers) alias(text string) {
	for part := range strings.SplitSeq(text, ":") {
		name, list, ok := strings.Cut(part, "=")
		if ok {
			users, _ := userList(strings.TrimSpace(list))
			s.aliases[strings.TrimSpace(name)] = users
		}
	}
}

// setting reads a line of Defaults. One for hosts or commands counts for all.
func (s *sudoers) setting(file string, line logical, kind, rest, text string) {
	who := []string{"ALL"}
	if kind != "" {
		who, rest = userList(rest)
	}
	if m := securePath.FindStringSubmatch(rest); m != nil {
		for _, account := range who {
			switch kind {
			case "":
				s.paths[""] = m[1] + m[2]
			case ">":
				s.paths[account] = m[1] + m[2]
			}
		}
	}
	if unasked.MatchString(rest) {
		if kind != ":" {
			who = []string{"ALL"}
		}
		s.rules = append(s.rules, sudoRule{file, line.first, line.last, who, text})
	}
}

// userList takes a list of users off a line: words with commas between them.
func userList(text string) (users []string, rest string) {
	rest = text
	for {
		var word string
		word, rest = userWord(strings.TrimLeft(rest, " \t"))
		users = append(users, word)
		after := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(after, ",") {
			return users, rest
		}
		rest = after[1:]
	}
}

// userWord takes one user off a line. Each "!" turns its meaning round.
func userWord(text string) (word, rest string) {
	var b strings.Builder
	quoted := false
	i := 0
scan:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t,=:", c) >= 0:
			if b.Len() > 0 && strings.Trim(b.String(), "!") == "" && c != ',' {
				continue // "! user"
			}
			break scan
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), text[i:]
}

// securePath is where programs are looked for when sudo runs as an account; ""
// if nothing is said of it.
func (s *sudoers) securePath(as string) string {
	if s == nil {
		return ""
	}
	if p := s.paths[as]; p != "" {
		return p
	}
	return s.paths[""]
}

// names says whether a list of users has an account in it, and whether by its
// name. The last word that fits decides.
func (s *sudoers) names(list []string, a account, depth int) (in, byName bool) {
	if depth > maxAliases {
		return false, false
	}
	for _, word := range list {
		plain := strings.TrimLeft(word, "!")
		not := (len(word)-len(plain))%2 == 1
		fits, named := false, false
		switch group, isGroup := strings.CutPrefix(plain, "%"); {
		case plain == "ALL":
			fits = true
		case isGroup && strings.HasPrefix(group, "#"):
			fits = a.known && group == fmt.Sprintf("#%d", a.gid)
		case isGroup:
			fits = slices.Contains(a.groups, group)
		case strings.HasPrefix(plain, "#"):
			fits = a.known && plain == fmt.Sprintf("#%d", a.uid)
			named = fits
		case s.aliases[plain] != nil:
			fits, named = s.names(s.aliases[plain], a, depth+1)
		default:
			fits = plain == a.name
			named = fits
		}
		if fits {
			in, byName = !not, !not && (named || byName)
		}
	}
	return in, byName
}

// sudo looks at what the accounts of workers may do as root without a password.
func (x *examination) sudo() {
	x.rules = &sudoers{aliases: map[string][]string{}, paths: map[string]string{}, files: map[string]bool{}}
	x.sudoFile("/etc/sudoers", 0)
	var who []account
	for _, name := range x.runbookAccounts() {
		who = append(who, x.account(name))
	}
	for _, rule := range x.rules.rules {
		var accounts []string
		alone := true
		for _, a := range who {
			in, byName := x.rules.names(rule.users, a, 0)
			if in && a.known || byName {
				accounts = append(accounts, a.name)
			}
		}
		for _, user := range rule.users {
			alone = alone && slices.Contains(accounts, user)
		}
		if len(accounts) == 0 {
			if slices.ContainsFunc(rule.users, func(u string) bool { return strings.HasPrefix(strings.TrimLeft(u, "!"), "+") }) {
				x.unread(rule.file, fmt.Sprintf("line %d is about a netgroup, which only the network knows", rule.first))
			}
			continue
		}
		f := Finding{Code: "sudo-nopasswd", Where: rule.file, Line: rule.first, Detail: fmt.Sprintf("for %s: %s", strings.Join(accounts, ", "), rule.text)}
		if alone {
			x.mend(&f, rule.file, commentOut(rule.first, rule.last))
		} else {
			f.Note = "the line is about others, too: take the account out of it, or out of the group"
			x.mend(&f, rule.file, "visudo -f PATH")
		}
		x.add(f)
	}
}

// commentOut is a command that makes comments of lines.
func commentOut(first, last int) string {
	if first == last {
		return fmt.Sprintf("sed -i '%ds/^/# /' -- PATH", first)
	}
	return fmt.Sprintf("sed -i '%d,%ds/^/# /' -- PATH", first, last)
}

func (x *examination) sudoFile(p string, depth int) {
	if depth > maxIncludes || len(x.rules.files) >= maxSudoersFiles {
		x.unread(p, errTooMany.Error())
		return
	}
	data, at, err := x.read(p, maxSudoers)
	if err != nil {
		x.note(p, err)
		return
	}
	if x.rules.files[at.path] {
		return
	}
	x.rules.files[at.path] = true
	err = x.rules.take(at.path, data, func(dir bool, p string) {
		switch {
		case strings.Contains(p, "%h"):
			x.unread(p, "the name of the host is in this path")
		case dir:
			for _, name := range x.list(p) {
				if !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") {
					x.sudoFile(path.Join(p, name), depth+1)
				}
			}
		default:
			x.sudoFile(p, depth+1)
		}
	})
	if err != nil {
		x.unread(p, err.Error())
	}
}
