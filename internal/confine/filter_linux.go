package confine

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// architecture is what the filter must know of a processor.
type architecture struct {
	// audit is the number by which the kernel says how a call was made.
	audit uint32
	// number picks the column of the table.
	number func(call) int
}

var architectures = map[string]architecture{
	"amd64": {unix.AUDIT_ARCH_X86_64, func(c call) int { return c.amd64 }},
	"arm64": {unix.AUDIT_ARCH_AARCH64, func(c call) int { return c.arm64 }},
}

// Where the kernel puts what a filter may look at (struct seccomp_data), and how wide
// each argument is. Both architectures are little-endian: the lower half comes first.
const (
	offsetNumber    = 0
	offsetArch      = 4
	offsetArguments = 16
	argumentSize    = 8
)

const (
	verdictAllow  = unix.SECCOMP_RET_ALLOW
	verdictRefuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	verdictAbsent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	verdictKill   = unix.SECCOMP_RET_KILL_PROCESS
)

// filter writes the program for an architecture.
//
// A call that was made in the way of another one (32 bits on a processor of 64) kills
// the process: its numbers mean other calls. A number that this table does not know,
// and with it every number of x32, which starts at 0x40000000, does not exist.
func filter(a architecture) ([]unix.SockFilter, error) {
	p := &assembler{labels: map[string]int{}}
	p.load(offsetArch)
	p.jump(unix.BPF_JEQ, a.audit, "", "kill")
	p.load(offsetNumber)
	p.jump(unix.BPF_JGT, lastKnown, "absent", "")
	for _, list := range []struct {
		calls  []call
		target string
	}{{refused, "refuse"}, {absent, "absent"}} {
		for _, c := range list.calls {
			if n := a.number(c); n != none {
				p.jump(unix.BPF_JEQ, uint32(n), list.target, "")
			}
		}
	}
	for _, c := range flagged {
		p.jump(unix.BPF_JEQ, uint32(a.number(c.call)), c.name, "")
	}
	p.code = append(p.code, answer(verdictAllow))
	for _, c := range flagged {
		p.label(c.name)
		p.load(offsetArguments + uint32(c.arg)*argumentSize)
		onValue, otherwise := "refuse", uint32(verdictAllow)
		if c.others {
			onValue, otherwise = "allow", verdictRefuse
		}
		if c.bits != 0 {
			p.jump(unix.BPF_JSET, c.bits, onValue, "")
		}
		for _, v := range c.values {
			p.jump(unix.BPF_JEQ, v, onValue, "")
		}
		p.code = append(p.code, answer(otherwise))
	}
	p.answer("allow", verdictAllow)
	p.answer("refuse", verdictRefuse)
	p.answer("absent", verdictAbsent)
	p.answer("kill", verdictKill)
	return p.program()
}

// assembler collects instructions; jumps go forward, to labels.
type assembler struct {
	code   []unix.SockFilter
	labels map[string]int
	jumps  []pending
}

// pending is a jump whose labels are not known yet; "" is the next instruction.
type pending struct {
	at          int
	ifSo, ifNot string
}

func (p *assembler) load(offset uint32) {
	p.code = append(p.code, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

func (p *assembler) jump(test uint16, k uint32, ifSo, ifNot string) {
	p.jumps = append(p.jumps, pending{len(p.code), ifSo, ifNot})
	p.code = append(p.code, unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k})
}

func (p *assembler) answer(label string, verdict uint32) {
	p.label(label)
	p.code = append(p.code, answer(verdict))
}

func answer(verdict uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict}
}

func (p *assembler) label(name string) { p.labels[name] = len(p.code) }

// program fills in the jumps.
func (p *assembler) program() ([]unix.SockFilter, error) {
	code := slices.Clone(p.code)
	for _, j := range p.jumps {
		var err error
		if code[j.at].Jt, err = p.distance(j.at, j.ifSo); err != nil {
			return nil, err
		}
		if code[j.at].Jf, err = p.distance(j.at, j.ifNot); err != nil {
			return nil, err
		}
	}
	return code, nil
}

func (p *assembler) distance(from int, label string) (uint8, error) {
	if label == "" {
		return 0, nil
	}
	to, ok := p.labels[label]
	d := to - from - 1
	if !ok || d < 0 || d > 255 {
		return 0, fmt.Errorf("filter of system calls: %q is out of reach of instruction %d", label, from)
	}
	return uint8(d), nil
}
