package confine

// call is a system call and its number on each architecture; none where it has none.
type call struct {
	name         string
	amd64, arm64 int
}

const none = -1

// lastKnown is the greatest number that any call had when this table was written. A
// call with a greater one is unknown here, and so is what it would open.
const lastKnown = 471

// refused are the calls that fail with EPERM: "you may not".
var refused = []call{
	// Other processes: their memory, their registers, their descriptors.
	{"ptrace", 101, 117},
	{"process_vm_readv", 310, 270},
	{"process_vm_writev", 311, 271},
	{"process_madvise", 440, 440},
	{"kcmp", 312, 272},
	{"pidfd_getfd", 438, 438},

	// What is mounted where, and what the root folder is.
	{"mount", 165, 40},
	{"umount2", 166, 39},
	{"pivot_root", 155, 41},
	{"chroot", 161, 51},
	{"open_tree", 428, 428},
	{"open_tree_attr", 467, 467},
	{"move_mount", 429, 429},
	{"fsopen", 430, 430},
	{"fsconfig", 431, 431},
	{"fsmount", 432, 432},
	{"fspick", 433, 433},
	{"mount_setattr", 442, 442},

	// Namespaces; see also the flags of clone.
	{"unshare", 272, 97},
	{"setns", 308, 268},

	// Files by handle instead of by name: beyond every mount.
	{"open_by_handle_at", 304, 265},
	{"fanotify_init", 300, 262},

	// Programs and rings inside the kernel, its keys, its counters.
	{"bpf", 321, 280},
	{"perf_event_open", 298, 241},
	{"userfaultfd", 323, 282},
	{"add_key", 248, 217},
	{"request_key", 249, 218},
	{"keyctl", 250, 219},
	{"syslog", 103, 116},
	{"lookup_dcookie", 212, 18},

	// The machine: kernel, modules, swap, quota, accounting, ports, names, clocks.
	{"kexec_load", 246, 104},
	{"kexec_file_load", 320, 294},
	{"init_module", 175, 105},
	{"finit_module", 313, 273},
	{"delete_module", 176, 106},
	{"create_module", 174, none},
	{"query_module", 178, none},
	{"get_kernel_syms", 177, none},
	{"reboot", 169, 142},
	{"swapon", 167, 224},
	{"swapoff", 168, 225},
	{"quotactl", 179, 60},
	{"quotactl_fd", 443, 443},
	{"acct", 163, 89},
	{"iopl", 172, none},
	{"ioperm", 173, none},
	{"modify_ldt", 154, none},
	{"vhangup", 153, 58},
	{"sethostname", 170, 161},
	{"setdomainname", 171, 162},
	{"settimeofday", 164, 170},
	{"adjtimex", 159, 171},
	{"clock_settime", 227, 112},
	{"clock_adjtime", 305, 266},
}

// absent are the calls that fail with ENOSYS, as on a kernel that does not have them:
// programs then take another way.
var absent = []call{
	// Its flags are in memory, where a filter cannot look; clone does the same.
	{"clone3", 435, 435},
	// What runs inside the ring passes by every filter of calls.
	{"io_uring_setup", 425, 425},
	{"io_uring_enter", 426, 426},
	{"io_uring_register", 427, 427},
}

// flagged are the calls that are refused with EPERM for some values of one argument.
// The kernel looks at the lower 32 bits of these arguments only, and so does the
// filter.
var flagged = []struct {
	call
	arg int
	// bits are refused if any of them is set, values if one is the argument.
	bits   uint32
	values []uint32
	// others says that all but values is refused.
	others bool
}{
	{call: call{"clone", 56, 220}, arg: 0, bits: namespaceFlags},
	{call: call{"ioctl", 16, 29}, arg: 1, values: []uint32{ioctlTIOCSTI, ioctlTIOCLINUX}},
	// Limits of one's own process only: with a limit of a second a job could end what
	// watches over it.
	{call: call{"prlimit64", 302, 261}, arg: 0, values: []uint32{0}, others: true},
}

const (
	// namespaceFlags are CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and
	// NEWNET. CLONE_NEWTIME is no flag of clone, only of clone3 and unshare.
	namespaceFlags = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
	// Both type into a terminal as if its user had: a job could leave a command for the
	// shell that started the gate.
	ioctlTIOCSTI   = 0x5412
	ioctlTIOCLINUX = 0x541C
)
