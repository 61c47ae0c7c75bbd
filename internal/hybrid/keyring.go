package hybrid

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/keybox"
	"github.com/runwrit/writ/internal/pgpcert"
)

// Limits of what is carried over.
const (
	MaxKeyrings    = 100
	MaxKeyringSize = 64 << 20 // bytes, as many as a file of a trust store may have
	// maxPieces is how many certificates and revocations are carried over.
	maxPieces = 5_000
)

// Keyring is a file that gpg verified by: its bytes, or why they could not be
// read.
type Keyring struct {
	Path string
	Data []byte
	Err  error
}

// Certificate is one that was carried over.
type Certificate struct {
	Fingerprint string
	Name        string // in the words of the certificate; hostile
	// Problem says why it signs nothing today, "" if it does.
	Problem string
}

// File is a file of the room openpgp of a trust store.
type File struct {
	Name string
	Data []byte
}

// certificates are the public certificates of keyrings, each in a file of its
// own; what was left out, and why, goes to leave.
func certificates(rings []Keyring, now time.Time, leave func(what, why string)) ([]Certificate, []File, error) {
	all := pgpcert.NewLoader()
	var read []Keyring
	for _, r := range rings {
		err := r.Err
		if err == nil {
			err = all.Add(r.Path, r.Data)
		}
		if err != nil {
			leave("keyring "+r.Path, err.Error())
			continue
		}
		read = append(read, r)
	}
	ring := all.Ring()
	good := map[string]*pgpcert.Certificate{}
	for _, c := range ring.Certificates() {
		good[c.Fingerprint] = c
	}
	for _, n := range ring.Notes() {
		leave("keyring "+n.File, fmt.Sprintf("%s: %v", n.Position, n.Err))
	}
	p := &pieces{good: good, count: map[string]int{}}
	for _, r := range read {
		if err := p.add(r); err != nil {
			return nil, nil, fmt.Errorf("keyring %q: %w", r.Path, err)
		}
	}
	if err := p.check(); err != nil {
		return nil, nil, err
	}
	var list []Certificate
	for _, fpr := range slices.Sorted(maps.Keys(good)) {
		list = append(list, Certificate{fpr, good[fpr].Name, problemOf(good[fpr], now)})
	}
	return list, p.files, nil
}

// problemOf says why no key of a certificate signs now.
func problemOf(c *pgpcert.Certificate, now time.Time) string {
	problem := ""
	for _, k := range c.Keys() {
		j := k.Judge(now)
		if j.OK() {
			return ""
		}
		// That the primary key only certifies is how it should be.
		if problem == "" || j.KeyUsage == "" {
			problem = j.Problem()
		}
	}
	return problem
}

// pieces are certificates, and revocations that stand by themselves.
type pieces struct {
	good  map[string]*pgpcert.Certificate
	count map[string]int // by the name of the file
	files []File
}

// add takes a keyring apart.
func (p *pieces) add(r Keyring) error {
	blocks, err := blocksOf(r.Data)
	if err != nil {
		return err
	}
	for _, packets := range blocks {
		var piece []byte
		certificate := false
		for rest := packets; len(rest) > 0; {
			packet, next, err := pgpcert.NextPacket(rest)
			if err != nil {
				break // it was left out, with a note
			}
			raw := rest[:len(rest)-len(next)]
			rest = next
			switch packet.Tag {
			case pgpcert.TagSecretKey, pgpcert.TagSecretSubkey: // the loader refuses them, too
				return pgpcert.ErrSecretKey
			case pgpcert.TagTrust: // what one GnuPG noted for itself
				continue
			case pgpcert.TagPublicKey:
				if err := p.keep(piece, certificate); err != nil {
					return err
				}
				piece, certificate = nil, true
			}
			piece = append(piece, raw...)
		}
		if err := p.keep(piece, certificate); err != nil {
			return err
		}
	}
	return nil
}

// keep makes a file of a certificate that can be used, and of revocations.
func (p *pieces) keep(piece []byte, certificate bool) error {
	if len(piece) == 0 {
		return nil
	}
	name := "revocation"
	if certificate {
		if name = fingerprintOf(piece); p.good[name] == nil {
			return nil // it was left out, with a note
		}
	}
	if len(p.files) == maxPieces {
		return fmt.Errorf("more than %d certificates", maxPieces)
	}
	p.count[name]++
	if n := p.count[name]; n > 1 || !certificate {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	p.files = append(p.files, File{name + ".pgp", piece})
	return nil
}

// fingerprintOf is that of the one certificate in a piece; "" if it cannot be
// used.
func fingerprintOf(piece []byte) string {
	l := pgpcert.NewLoader()
	if err := l.Add("", piece); err != nil {
		return ""
	}
	list := l.Ring().Certificates()
	if len(list) != 1 {
		return ""
	}
	return list[0].Fingerprint
}

// check reads the files as a trust store would.
func (p *pieces) check() error {
	l := pgpcert.NewLoader()
	for _, f := range p.files {
		if err := l.Add(f.Name, f.Data); err != nil {
			return fmt.Errorf("%s would not be read again: %w", f.Name, err)
		}
	}
	var again []string
	for _, c := range l.Ring().Certificates() {
		again = append(again, c.Fingerprint)
	}
	slices.Sort(again)
	if !slices.Equal(again, slices.Sorted(maps.Keys(p.good))) {
		return errors.New("the certificates would not be the same when they are read again")
	}
	return nil
}

// blocksOf takes a file apart by its container.
func blocksOf(data []byte) ([][]byte, error) {
	var list [][]byte
	switch {
	case keybox.Is(data):
		blobs, err := keybox.Read(data)
		if err != nil {
			return nil, err
		}
		for _, b := range blobs {
			list = append(list, b.Packets)
		}
	case len(data) > 0 && data[0]&0x80 != 0:
		list = [][]byte{data}
	default:
		armored, err := cleartext.Dearmor(data)
		if err != nil {
			return nil, err
		}
		for _, b := range armored {
			if b.Err == nil {
				list = append(list, b.Data)
			}
		}
	}
	return list, nil
}
