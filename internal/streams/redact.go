package streams

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mask stands in the place of a secret.
const Mask = "***"

// leastPart is how long a part of a secret, or what an encoding makes of it, must be
// to be looked for: less than that is in every text.
const leastPart = 8

// Redactor takes secrets out of a stream, also one that lies across the borders of
// pieces. Where several fit, the first and then the longest is taken.
type Redactor struct {
	forms   [][]byte // the longest first
	first   [256]bool
	longest int
	in      []byte // what is not decided yet, and the piece that came
	out     []byte
	next    []int // of each form: where it is in in, at or behind the place that was reached

	more *Secrets // nil for none
	seen int      // how many of these it knows
}

// NewRedactor returns a Redactor for secrets. Each is looked for as it is; as Go, Rego
// and JSON quote it; as a part of an address; in base64, standing for itself; and by
// its lines, if it has several. Lines and base64 of less than 8 characters are not
// looked for; a secret that is that short is, wherever it stands.
func NewRedactor(secrets []string) *Redactor {
	r := &Redactor{}
	r.add(secrets)
	return r
}

// Follow makes it look for what is added to more, too, from then on.
func (r *Redactor) Follow(more *Secrets) { r.more = more }

// add makes it look for more secrets.
func (r *Redactor) add(secrets []string) {
	seen := map[string]bool{"": true}
	for _, form := range r.forms {
		seen[string(form)] = true
	}
	forms := slices.Clone(r.forms) // a clone may have the same
	for _, secret := range secrets {
		for _, form := range formsOf(secret) {
			if !seen[form] {
				seen[form] = true
				forms = append(forms, []byte(form))
			}
		}
	}
	r.forms = forms
	slices.SortStableFunc(r.forms, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	for _, form := range r.forms {
		r.first[form[0]] = true
		r.longest = max(r.longest, len(form))
	}
	r.next = make([]int, len(r.forms))
}

func formsOf(secret string) []string {
	quoted, ascii := strconv.Quote(secret), strconv.QuoteToASCII(secret)
	forms := []string{
		secret, quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1], asJSON(secret, true), asJSON(secret, false),
		url.QueryEscape(secret), url.PathEscape(secret),
	}
	longEnough := func(s string) {
		if len(s) >= leastPart {
			forms = append(forms, s)
		}
	}
	longEnough(base64.RawStdEncoding.EncodeToString([]byte(secret)))
	longEnough(base64.RawURLEncoding.EncodeToString([]byte(secret)))
	if strings.Contains(secret, "\n") {
		for line := range strings.SplitSeq(secret, "\n") {
			longEnough(strings.TrimSuffix(line, "\r"))
		}
		forms = append(forms, strings.ReplaceAll(secret, "\n", "\r\n"))
	}
	return forms
}

// asJSON is a text as JSON writes it, without its quotes.
func asJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // a text can always be encoded
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// Clone returns a Redactor that goes on from the same place.
func (r *Redactor) Clone() *Redactor {
	c := *r
	c.in, c.out, c.next = slices.Clone(r.in), nil, make([]int, len(r.forms))
	return &c
}

// Next takes the next piece, and returns what is decided by it: that is good until
// the next call, and may be the piece itself. What could be the beginning of a secret
// is kept back until the next call.
func (r *Redactor) Next(piece []byte) []byte {
	if more := r.more.from(r.seen); len(more) > 0 {
		r.seen += len(more)
		r.add(more)
	}
	if len(r.forms) == 0 {
		return piece
	}
	r.in = append(r.in, piece...)
	return r.clean(false)
}

// Rest returns what was kept back: the stream has ended.
func (r *Redactor) Rest() []byte { return r.clean(true) }

func (r *Redactor) clean(last bool) []byte {
	r.out = r.out[:0]
	for i := range r.next {
		r.next[i] = -1
	}
	place := 0
	open := r.undecided(place, last)
	for place < len(r.in) {
		at, form := r.match(place)
		if open <= at { // something longer may begin before it, or there
			break
		}
		r.out = append(append(r.out, r.in[place:at]...), Mask...)
		if place = at + len(form); open < place {
			open = r.undecided(place, last)
		}
	}
	if place < open {
		r.out = append(r.out, r.in[place:open]...)
		place = open
	}
	r.in = append(r.in[:0], r.in[place:]...)
	return r.out
}

// match returns the first place, not before from, where a form stands, and the
// longest that stands there. With none it returns the end.
func (r *Redactor) match(from int) (at int, form []byte) {
	at = len(r.in)
	for i, f := range r.forms {
		if r.next[i] < from {
			r.next[i] = len(r.in)
			if n := bytes.Index(r.in[from:], f); n >= 0 {
				r.next[i] = from + n
			}
		}
		if r.next[i] < at {
			at, form = r.next[i], f
		}
	}
	return at, form
}

// undecided returns the first place, not before from, where a form could begin that
// the rest of the stream has to complete. With none it returns the end.
func (r *Redactor) undecided(from int, last bool) int {
	if last {
		return len(r.in)
	}
	for at := max(from, len(r.in)-r.longest+1); at < len(r.in); at++ {
		if !r.first[r.in[at]] {
			continue
		}
		rest := r.in[at:]
		for _, f := range r.forms {
			if len(f) <= len(rest) {
				break // so are all that follow
			}
			if bytes.HasPrefix(f, rest) {
				return at
			}
		}
	}
	return len(r.in)
}
