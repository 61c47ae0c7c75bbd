package format

import (
	"crypto/subtle"
	"fmt"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
)

// CodePages are the numbers that Authenticode.CodePage may have.
func CodePages() []int { return authscript.CodePages() }

// readings are the encodings under which the digest of a script is tried. Bytes
// without a byte-order mark that are not ASCII have more than one; codePage is one
// more to try, 0 for none.
func readings(e authscript.Encoding, codePage int) []authscript.Encoding {
	if e.Plain() {
		return []authscript.Encoding{e}
	}
	tried := []authscript.Encoding{authscript.UTF8, authscript.ANSI}
	if extra, ok := authscript.CodePage(codePage); ok && extra != authscript.ANSI {
		tried = append(tried, extra)
	}
	return tried
}

// matchContent reports whether the digest of the script is sum, and under which
// reading of its bytes.
func (x *authenticodeExam) matchContent(s *authscript.Script, d cms.Digest, sum []byte) (authscript.Encoding, bool) {
	for _, e := range readings(s.Encoding, x.codePage) {
		h := d.Hash.New()
		if s.WriteSigned(h, e) == nil && subtle.ConstantTimeCompare(h.Sum(nil), sum) == 1 {
			return e, true
		}
	}
	return authscript.Undecodable, false
}

// readingWords says under which reading the digest of a script without a
// byte-order mark fits, and which hosts accept it for that; nothing where there is
// one. Undecodable stands for no reading.
func (x *authenticodeExam) readingWords(reading authscript.Encoding) string {
	if authscript.Detect(x.data).Plain() {
		return ""
	}
	if reading == authscript.Undecodable {
		return fmt.Sprintf("the digest fits no reading that was tried, of %v", readings(authscript.UTF8, x.codePage))
	}
	return fmt.Sprintf("the digest fits the reading as %s: %s", reading, hostsOf(x.style, authscript.Detect(x.data), reading))
}

// hostsOf says who accepts a script whose digest fits a reading; byRule is what
// Windows takes it for by its first 32 bytes. PowerShell 7 reads UTF-8 whatever
// they are, the others what Windows reads.
func hostsOf(style *authscript.Style, byRule, reading authscript.Encoding) string {
	utf8 := reading == authscript.UTF8
	switch {
	case style.WSH && utf8:
		return "a Windows Script Host accepts it only where the ANSI code page is 65001"
	case style.WSH:
		return fmt.Sprintf("a Windows Script Host accepts it only where the ANSI code page is %d", int(reading))
	case utf8 && byRule == authscript.UTF8:
		return "PowerShell 7 accepts it; Windows PowerShell 5.1 does too, by its first 32 bytes, and then runs it as text of its ANSI code page"
	case utf8:
		return "PowerShell 7 accepts it; Windows PowerShell 5.1 only where the ANSI code page is 65001"
	case byRule == authscript.UTF8:
		return fmt.Sprintf("Windows takes it for UTF-8 by its first 32 bytes, so neither Windows PowerShell 5.1 nor PowerShell 7 has the text that was signed, which is in code page %d", int(reading))
	default:
		return fmt.Sprintf("Windows PowerShell 5.1 accepts it only where the ANSI code page is %d; PowerShell 7 reads another text, as UTF-8", int(reading))
	}
}
