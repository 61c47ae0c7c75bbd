package runbook

import (
	"path"
	"strings"
)

// Kind is the language family of a runbook, as its file name gives it. It
// decides which signature formats apply and which interpreter runs it.
type Kind string

// The kinds. Unknown is the zero value: such a file is never run.
const (
	Unknown           Kind = ""
	PowerShell        Kind = "powershell"         // .ps1
	PowerShellModule  Kind = "powershell-module"  // .psm1
	PowerShellData    Kind = "powershell-data"    // .psd1
	PowerShellXML     Kind = "powershell-xml"     // .ps1xml: types and views
	PowerShellConsole Kind = "powershell-console" // .psc1
	PowerShellCDXML   Kind = "powershell-cdxml"   // .cdxml: a module over CIM
	MOF               Kind = "mof"                // .mof
	VBScript          Kind = "vbscript"           // .vbs, .vbe
	JavaScript        Kind = "javascript"         // .js, .jse
	WindowsScript     Kind = "windows-script"     // .wsf
	Bash              Kind = "bash"               // .sh, .bash
	Python            Kind = "python"             // .py
	Perl              Kind = "perl"               // .pl
	Ruby              Kind = "ruby"               // .rb
	Manifest          Kind = "manifest"           // writ.manifest: a list of files, which is never run
	Statement         Kind = "statement"          // .statement: an approval, a ticket, which is never run
)

// Kinds returns all kinds but Unknown.
func Kinds() []Kind {
	return []Kind{
		PowerShell, PowerShellModule, PowerShellData, PowerShellXML, PowerShellConsole, PowerShellCDXML, MOF,
		VBScript, JavaScript, WindowsScript, Bash, Python, Perl, Ruby, Manifest, Statement,
	}
}

// StatementExt is the extension of statements; signed by an OpenPGP key they have
// SignatureExt behind it.
const StatementExt = ".statement"

// Runnable says whether there are runbooks of the kind: a policy can have them run.
func (k Kind) Runnable() bool { return k != Unknown && k != Manifest && k != Statement }

var kindByExt = map[string]Kind{
	".ps1":    PowerShell,
	".psm1":   PowerShellModule,
	".psd1":   PowerShellData,
	".ps1xml": PowerShellXML,
	".psc1":   PowerShellConsole,
	".cdxml":  PowerShellCDXML,
	".mof":    MOF,
	".vbs":    VBScript,
	".vbe":    VBScript,
	".js":     JavaScript,
	".jse":    JavaScript,
	".wsf":    WindowsScript,
	".sh":     Bash,
	".bash":   Bash,
	".py":     Python,
	".pl":     Perl,
	".rb":     Ruby,

	StatementExt: Statement,
}

// KindOf returns the kind of the runbook that a file of this name holds; ".asc"
// at the end is left out first, the case of letters does not matter.
func KindOf(name string) Kind {
	if strings.EqualFold(PayloadName(name), ManifestName) {
		return Manifest
	}
	return kindByExt[strings.ToLower(path.Ext(PayloadName(name)))]
}

// String returns the kind's word, "unknown" for the zero value.
func (k Kind) String() string {
	if k == Unknown {
		return "unknown"
	}
	return string(k)
}
