package policy

import "time"

// Layouts of the times that grants.yaml gives in a zone.
const (
	layoutDay   = "2006-01-02"
	layoutLocal = "2006-01-02T15:04"
)

// localTime is a time as the clocks of a zone show it, or a whole day.
type localTime struct {
	wall time.Time // in UTC, with the numbers that the clocks show
	day  bool
}

func parseLocal(s string) (localTime, bool) {
	if t, err := time.Parse(layoutDay, s); err == nil {
		return localTime{t, true}, yearFits(t)
	}
	t, err := time.Parse(layoutLocal, s)
	return localTime{t, false}, err == nil && yearFits(t)
}

// yearFits keeps times where nanoseconds since 1970 can count them, a day to either
// side included.
func yearFits(t time.Time) bool { return t.Year() > 1970 && t.Year() < 2262 }

// begin is the first moment at which a zone's clocks show the time, or the day.
func (l localTime) begin(zone *time.Location) time.Time {
	first, _ := moments(l.wall, zone)
	return first
}

// end is the last moment at which they show the time; of a day, its end.
func (l localTime) end(zone *time.Location) time.Time {
	wall := l.wall
	if l.day {
		wall = wall.AddDate(0, 0, 1)
	}
	_, last := moments(wall, zone)
	return last
}

// moments returns the first and the last moment at which the clocks of a zone show
// wall: two where they were put back over it. Where they were put forward over it,
// both are the moment of that.
func moments(wall time.Time, zone *time.Location) (first, last time.Time) {
	// No zone is a day or more from UTC.
	for at, until := wall.AddDate(0, 0, -1), wall.AddDate(0, 0, 1); ; {
		_, offset := at.In(zone).Zone()
		_, end := at.In(zone).ZoneBounds()
		moment := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case moment.Before(at) && first.IsZero():
			return at, at
		case !moment.Before(at) && (end.IsZero() || moment.Before(end)):
			if last = moment; first.IsZero() {
				first = moment
			}
		}
		if end.IsZero() || end.After(until) {
			return first, last
		}
		at = end
	}
}
