package policy

import "time"

// zoneForm holds for the names of the time zone database. What begins with a small
// letter there is not a zone of its own, or means another one on each machine.
var zoneForm = newForm(`^[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*)*$`, maxName)

// zone finds a time zone, once each; nil if there is none of the name.
func (g *grants) zone(name string) *time.Location {
	zone, known := g.zones[name]
	if !known && zoneForm.holds(name) && name != "Local" {
		if loaded, err := time.LoadLocation(name); err == nil {
			zone = loaded
		}
	}
	g.zones[name] = zone
	return zone
}

// zoneProblem says why s is no time zone, "" if it is one.
func (g *grants) zoneProblem(s string) string {
	if g.zone(s) == nil {
		return "want the name of a time zone, such as Europe/Oslo or UTC"
	}
	return ""
}
