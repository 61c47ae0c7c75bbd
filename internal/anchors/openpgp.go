package anchors

import (
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/verifier"
)

// openpgp reads OpenPGP certificates: armored, binary, or a keybox.
func (r *reader) openpgp(data []byte) error {
	r.found.Form = "a file of OpenPGP certificates"
	blocks, err := pgpcert.Split(data, MaxAnchors)
	if errors.Is(err, pgpcert.ErrSecretKey) {
		return fmt.Errorf("%w (gpg --export)", errSecret)
	}
	if err != nil {
		return err
	}
	var revocations []byte
	for _, b := range blocks {
		if b.Fingerprint == "" && b.Err == nil {
			revocations = b.Packets
		}
	}
	for _, b := range blocks {
		a := Anchor{Kind: KindOpenPGP, Room: verifier.RoomOpenPGP, ID: "openpgp:" + b.Fingerprint, data: b.Packets}
		switch {
		case b.Fingerprint == "" && b.Err == nil:
			a.Kind, a.ID, a.Name = KindRevocation, digestID("sha256", b.Packets), "revocations by themselves"
		case b.Fingerprint == "":
			a.ID = ""
			a.Room, a.Why = "", fmt.Sprintf("%s: cannot be read: %v", b.Position, b.Err)
		case b.Err != nil:
			a.Room, a.Why = "", fmt.Sprintf("%s: cannot be read: %v", b.Position, b.Err)
		default:
			a.judge(revocations, r.options.Now)
		}
		if room := r.options.Room; room != "" && room != verifier.RoomOpenPGP {
			a.Room, a.Why = "", fmt.Sprintf("an OpenPGP certificate does not belong into the room %s", room)
		}
		if err := r.keep(a); err != nil {
			return err
		}
	}
	return nil
}

// judge reads one certificate together with the revocations that stood elsewhere
// in the file.
func (a *Anchor) judge(revocations []byte, now time.Time) {
	loader := pgpcert.NewLoader()
	err := loader.Add("", a.data)
	if err == nil && len(revocations) > 0 {
		err = loader.Add("", revocations)
	}
	if err != nil {
		a.Room, a.Why = "", fmt.Sprintf("cannot be used: %v", err)
		return
	}
	ring := loader.Ring()
	certs := ring.Certificates()
	if len(certs) != 1 {
		a.Room, a.Why = "", "cannot be used"
		for _, note := range ring.Notes() {
			a.Why = fmt.Sprintf("cannot be used: %v", note.Err)
			break
		}
		return
	}
	a.describeOpenPGP(certs[0], now)
}

// describeOpenPGP: a certificate is of use if one of its keys may sign now.
func (a *Anchor) describeOpenPGP(c *pgpcert.Certificate, now time.Time) {
	primary := c.Keys()[0]
	a.Name, a.Algorithm, a.NotBefore = c.Name, primary.Algorithm, primary.Created().UTC()
	problem := ""
	for _, k := range c.Keys() {
		j := k.Judge(now)
		if j.OK() {
			a.Algorithm, a.NotAfter, a.Doubt = k.Algorithm, j.NotAfter.UTC(), ""
			if j.NotAfter.IsZero() {
				a.NotAfter = time.Time{}
			}
			return
		}
		if problem == "" || j.KeyUsage == "" { // a primary key need not sign
			problem = j.Problem()
			a.NotAfter = j.NotAfter
		}
	}
	a.Doubt = "no key of it may sign now: " + problem
}
