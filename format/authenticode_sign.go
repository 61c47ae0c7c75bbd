package format

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// maxSigningRSA is the largest RSA key in bits that Sign uses.
const maxSigningRSA = 4096

// minScript is the smallest script in bytes that Windows signs.
const minScript = 4

// Sign implements signer.Format. It refuses, with *signer.InputError and the
// line, what would not verify everywhere: bytes that hosts read differently, and
// lines that could be taken for a signature block. A whole signature block at
// the end of the file is replaced; one that is not exactly as Windows writes it
// is refused, never cut off.
func (a *Authenticode) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	script, err := a.signable(rb)
	if err != nil {
		return nil, err
	}
	if script.Block, err = a.signScript(ctx, script, key); err != nil {
		return nil, err
	}
	if len(script.Block) > authscript.MaxBlock {
		return nil, &signer.KeyError{Source: key.Source(), Msg: "the certificate chain is too large for a signature block"}
	}
	return script.Render(), nil
}

// signScript makes the signature of a script's content.
func (a *Authenticode) signScript(ctx context.Context, script *authscript.Script, key *signer.Key) ([]byte, error) {
	private, chain, err := key.X509()
	if err != nil {
		return nil, err
	}
	digest, err := fitsAuthenticode(key.Source(), private.Public(), chain, a.clock())
	if err != nil {
		return nil, err
	}
	if bound := key.Hash(); bound != 0 {
		digest = bound // whoever keeps the key signs no other
	}
	h := digest.New()
	if err := script.WriteSigned(h, script.Encoding); err != nil {
		return nil, err
	}
	block, err := signIndirectData(script.Style, h.Sum(nil), digest, signer.WithContext(ctx, private), key.WithoutRoot())
	if err != nil {
		return nil, keeperError(ctx, key.Source(), err)
	}
	return a.stamp(ctx, block)
}

// Strip implements signer.Stripper: the content is the file without its block.
func (a *Authenticode) Strip(rb *runbook.Runbook) ([]byte, error) {
	script, err := a.signable(rb)
	if err != nil {
		return nil, err
	}
	return script.Unsigned(), nil
}

// signable returns the content of rb, without the block that it may have.
func (a *Authenticode) signable(rb *runbook.Runbook) (*authscript.Script, error) {
	style, ok := scriptStyle(rb.Name())
	if !ok {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "not a file of a type that carries an Authenticode signature", Fix: "clear-sign it"}
	}
	data := rb.Bytes()
	script, err := authscript.Parse(style, data)
	if errors.Is(err, authscript.ErrNoBlock) {
		script, err = authscript.New(style, data)
	}
	var layout *authscript.LayoutError
	switch {
	case errors.As(err, &layout):
		return nil, &signer.InputError{Name: rb.Name(), Line: layout.Line, Msg: layout.Msg, Fix: unsignableFix(style, data, layout)}
	case err == nil && script.Block != nil:
		if _, err := cms.Parse(script.Block); err != nil {
			return nil, &signer.InputError{Name: rb.Name(),
				Msg: fmt.Sprintf("the signature block at the end is not a signature: %v", err),
				Fix: "look at it, remove it by hand, and sign again"}
		}
	}
	if te := authscript.CheckText(style, data); te != nil {
		if te.Code != authscript.CodeAmbiguous || !a.AddMark || style.NoMark {
			return nil, &signer.InputError{Name: rb.Name(), Line: te.Line, Msg: te.Msg, Fix: unreadableFix(style, te)}
		}
		script.Content, script.Encoding = authscript.AddMark(script.Content), authscript.UTF8BOM
	}
	if script.Encoding == authscript.UTF16BE {
		return nil, &signer.InputError{Name: rb.Name(), Line: 1, Msg: "UTF-16 big endian: few hosts and tools read it", Fix: "save the script as UTF-16 little endian"}
	}
	if bytes.HasPrefix(data, []byte(clearSignedHead)) {
		return nil, &signer.InputError{Name: rb.Name(), Line: 1, Msg: "the file is a clear-signed document", Fix: "sign the script that it holds"}
	}
	if len(script.Content)+len(script.After) < minScript {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "fewer than 4 bytes: Windows does not sign such a script", Fix: "give it a comment"}
	}
	return script, nil
}

// unreadableFix is for the signer of text that is not the same everywhere.
func unreadableFix(style *authscript.Style, text *authscript.TextError) string {
	fix := textFix(style, text)
	switch {
	case text.Code == authscript.CodeAmbiguous && !style.NoMark:
		fix += ": --add-bom does it"
	case text.Code == authscript.CodeLossyDecode && !style.NoMark:
		fix += ", from the code page that it was written in"
	}
	return fix
}

func unsignableFix(style *authscript.Style, data []byte, layout *authscript.LayoutError) string {
	if layout.Code == authscript.CodePlace {
		return "complete the script: a .wsf file is a <job>"
	}
	if layout.Code == authscript.CodeLookAlike {
		return "change the line, or build the text from parts: verifiers would take it for a signature block"
	}
	for r := range authscript.Repairs(style, data) {
		if r.Cut {
			continue // what would be cut off may be the script
		}
		script, err := authscript.Parse(style, r.Data)
		if err == nil {
			_, err = cms.Parse(script.Block)
		}
		if err == nil {
			return "the file carries a signature whose line ends were converted: " + r.How + "; or remove the block by hand, and sign again"
		}
	}
	return "look at the lines around the signature block; remove what does not belong to the script by hand, and sign again"
}

// fitsAuthenticode returns the digest that goes with the key, or *signer.KeyError
// if a signature with it would not verify.
func fitsAuthenticode(source string, pub crypto.PublicKey, chain []*x509.Certificate, now time.Time) (crypto.Hash, error) {
	refuse := func(format string, args ...any) (crypto.Hash, error) {
		return 0, &signer.KeyError{Source: source, Msg: fmt.Sprintf(format, args...)}
	}
	digest := crypto.SHA256
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < cms.MinRSA || n > maxSigningRSA {
			return refuse("an RSA key of %d bits: want %d to %d", n, cms.MinRSA, maxSigningRSA)
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
		case elliptic.P384():
			digest = crypto.SHA384
		default:
			return refuse("curve %s: want P-256 or P-384", k.Params().Name)
		}
	default:
		return refuse("a key of type %T: want RSA, or ECDSA on P-256 or P-384", pub)
	}
	if err := mayVerifyCode(chain[0]); err != nil {
		return refuse("%v", err)
	}
	for _, c := range chain { // who issued whom is known of every key
		if !inTime(c, now) {
			return refuse("%s", outOfTime(c, now))
		}
	}
	return digest, nil
}

// throwAway fills the place of the signature until the real key has signed: the
// library refuses a key that is not in memory. One serves for all files.
var throwAway = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
