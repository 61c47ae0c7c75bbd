package policy

import (
	"slices"
	"time"
)

// Use is one use of something that may be used only so often: a break-glass
// statement, a ticket. Before what a permit allows is started, each of its uses must
// be taken, and stay taken whatever happens then.
type Use struct {
	// Kind and Key name the thing.
	Kind, Key string
	// Limit is how often it may be used in all.
	Limit int
	// Expires is when it cannot be used any more in any case.
	Expires time.Time
	// Gone is why the run is denied if there is no use left.
	Gone Reason
}

// Kinds of uses.
const (
	UseBreakGlass = "break-glass"
	UseTicket     = "ticket"
)

// Codes of denials because there is no use left.
const (
	CodeBreakGlassUsed = "break-glass-used"
	CodeTicketUsed     = "ticket-used"
)

// Uses are what must be taken before the run starts; none for most permits.
func (p *Permit) Uses() []Use { return slices.Clone(p.uses) }

// Refuse returns the decision as a denial for one more reason. It permits nothing.
func (d Decision) Refuse(r Reason) Decision {
	d.Deny = append(slices.Clone(d.Deny), r)
	d.Allow, d.Rules, d.WouldDeny, d.Override = false, []string{}, []Reason{}, nil
	d.Warn = slices.DeleteFunc(slices.Clone(d.Warn), func(r Reason) bool { return r.Code == CodeBreakGlass || r.Code == codeWouldDeny }) // it does not run
	d.Obligations, d.permit = Obligations{Env: []string{}}, nil
	return d
}

// uses are those of what has been broken.
func (o *Override) uses() []Use {
	if o == nil {
		return nil
	}
	uses := make([]Use, 0, len(o.Nonces))
	for _, nonce := range o.Nonces {
		uses = append(uses, Use{
			Kind: UseBreakGlass, Key: nonce, Limit: o.MaxUses, Expires: time.Unix(0, o.ExpiresNS).UTC(),
			Gone: Reason{Code: CodeBreakGlassUsed, Msg: "the break-glass statement has been used as often as it may be", Rule: ruleBreakGlass},
		})
	}
	return uses
}
