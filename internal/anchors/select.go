package anchors

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/verifier"
)

// SelectionError says that it is not clear what of a file is meant.
type SelectionError struct{ Msg string }

func (e *SelectionError) Error() string { return e.Msg }

// Select returns what is to be added: of several things only those that ids name,
// or with all every one that has its place and nothing against it. One thing alone
// needs no choice. Revocations that stand by themselves come with any OpenPGP
// certificate. It fails with *SelectionError.
func (f *Found) Select(ids []string, all bool) ([]Anchor, error) {
	var chosen []Anchor
	switch {
	case len(ids) > 0 && all:
		return nil, &SelectionError{"all, or only some: not both"}
	case len(ids) > 0:
		for _, id := range ids {
			a, err := f.named(id)
			if err != nil {
				return nil, err
			}
			chosen = append(chosen, a)
		}
	case all:
		chosen = f.Undoubted()
	case f.choices() > 1:
		return nil, &SelectionError{fmt.Sprintf("%s with %d things in it, and nobody said which of them to add", f.Form, len(f.Anchors))}
	default:
		chosen = slices.DeleteFunc(slices.Clone(f.Anchors), func(a Anchor) bool { return a.Room == "" })
	}
	if len(chosen) == 0 {
		return nil, &SelectionError{"nothing in it can be added" + f.reason()}
	}
	return f.withRevocations(chosen), nil
}

// choices counts what one could mean. What has no place counts as well: who gives a
// file of many certificates does not mean the one authority among them.
func (f *Found) choices() int {
	n := 0
	for _, a := range f.Anchors {
		if a.Kind != KindRevocation {
			n++
		}
	}
	return n
}

// reason is why the only thing in a file cannot be added.
func (f *Found) reason() string {
	if len(f.Anchors) != 1 {
		return ""
	}
	return ": " + f.Anchors[0].Why
}

// Undoubted returns what has its place and nothing against it.
func (f *Found) Undoubted() []Anchor {
	var list []Anchor
	for _, a := range f.Anchors {
		if a.Room != "" && a.Doubt == "" {
			list = append(list, a)
		}
	}
	return list
}

func (f *Found) named(id string) (Anchor, error) {
	for _, a := range f.Anchors {
		switch {
		case a.ID == "" || !strings.EqualFold(a.ID, id):
		case a.Room == "":
			return a, &SelectionError{fmt.Sprintf("%s cannot be added: %s", id, a.Why)}
		default:
			return a, nil
		}
	}
	return Anchor{}, &SelectionError{fmt.Sprintf("%s is not in the file: want a whole ID as it is listed", id)}
}

func (f *Found) withRevocations(chosen []Anchor) []Anchor {
	if !slices.ContainsFunc(chosen, func(a Anchor) bool { return a.Kind == KindOpenPGP }) {
		return chosen
	}
	for _, a := range f.Anchors {
		if a.Kind == KindRevocation && !slices.ContainsFunc(chosen, func(c Anchor) bool { return c.ID == a.ID }) {
			chosen = append(chosen, a)
		}
	}
	return chosen
}

// maxSlug is how long the part of a file's name is that comes from a name.
const maxSlug = 40

// writingOrder is that of the rooms in which files appear: what takes trust away
// comes first.
var writingOrder = []verifier.Room{verifier.RoomCRL, verifier.RoomTSA, verifier.RoomOpenPGP, verifier.RoomX509CA, verifier.RoomSigstore}

// Files writes anchors as files of a store, one for each room and each trusted
// root, with names that come from their content; base is what the name begins with
// where there are several.
func Files(store, base string, list []Anchor) ([]verifier.TrustFile, error) {
	var files []verifier.TrustFile
	for _, room := range writingOrder {
		var in []Anchor
		for _, a := range list {
			switch {
			case a.Room != room:
			case a.Kind == KindSigstoreRoot: // JSON, one a file
				files = append(files, verifier.TrustFile{Store: store, Room: room, Name: "trusted_root-" + short(a.data) + ".json", Data: a.data})
			default:
				in = append(in, a)
			}
		}
		if len(in) == 0 {
			continue
		}
		data, extension := together(in)
		name := base
		if len(in) == 1 || len(in) == 2 && in[1].Kind == KindRevocation {
			name = in[0].Name
		}
		files = append(files, verifier.TrustFile{Store: store, Room: room, Name: slug(name) + "-" + short(data) + extension, Data: data})
	}
	if len(files) == 0 {
		return nil, errors.New("nothing to add")
	}
	return files, nil
}

// Within reports whether a file, as Files writes them, is the one that holds the
// anchor.
func (a Anchor) Within(f verifier.TrustFile) bool {
	if a.Kind == KindSigstoreRoot {
		return bytes.Equal(f.Data, a.data)
	}
	return f.Room == a.Room && path.Ext(f.Name) != ".json"
}

// pemTypes are the labels of what is written as PEM.
var pemTypes = map[Kind]string{KindCertificate: "CERTIFICATE", KindCRL: "X509 CRL", KindSigstoreKey: "PUBLIC KEY"}

// together writes anchors of one room into one file.
func together(list []Anchor) (data []byte, extension string) {
	var packets []byte
	for _, a := range list {
		switch a.Kind {
		case KindRevocation: // before any certificate, where it belongs to none
			packets = append(slices.Clone(a.data), packets...)
		case KindOpenPGP:
			packets = append(packets, a.data...)
		default:
			data = append(data, pem.EncodeToMemory(&pem.Block{Type: pemTypes[a.Kind], Bytes: a.data})...)
		}
	}
	if len(packets) == 0 {
		return data, ".pem"
	}
	return cleartext.Armor("PGP PUBLIC KEY BLOCK", packets), ".asc"
}

// short is the part of a digest that tells files of one name apart.
func short(data []byte) string {
	_, digest, _ := strings.Cut(digestID("", data), ":")
	return digest[:8]
}

// slug makes of a name, which a stranger may have chosen, a part of a file's name.
func slug(name string) string {
	name = strings.TrimPrefix(name, "CN=")
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() >= maxSlug:
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "anchor"
}
