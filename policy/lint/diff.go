package lint

import (
	"strconv"
	"strings"
)

// maxCompared bounds the table of a comparison; larger changes are shown whole.
const maxCompared = 4 << 20

// Diff says how one text becomes another, line by line: "-" for a line that goes
// away, "+" for a new one, and "@ N" before those that begin at line N of the old
// text.
func Diff(before, after []byte) []string {
	a, b := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	for len(a) > start && len(b) > start && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	d := differ{a: a[start:], b: b[start:], line: start + 1}
	return d.run()
}

// differ compares what lies between the equal beginnings and ends of two texts.
type differ struct {
	a, b []string
	line int // of a[0]
}

// run walks along a longest common subsequence.
func (d *differ) run() []string {
	n, m := len(d.a), len(d.b)
	whole := n*m > maxCompared
	var common [][]int32 // of d.a[i:] and d.b[j:]
	if !whole {
		common = make([][]int32, n+1)
		for i := range common {
			common[i] = make([]int32, m+1)
		}
		for i := n - 1; i >= 0; i-- {
			for j := m - 1; j >= 0; j-- {
				if d.a[i] == d.b[j] {
					common[i][j] = common[i+1][j+1] + 1
				} else {
					common[i][j] = max(common[i+1][j], common[i][j+1])
				}
			}
		}
	}
	var out []string
	equal := true // the line before was in both
	say := func(i int, line string) {
		if equal {
			out = append(out, "@ "+strconv.Itoa(d.line+i))
		}
		equal = false
		out = append(out, line)
	}
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case !whole && i < n && j < m && d.a[i] == d.b[j]:
			equal = true
			i, j = i+1, j+1
		case i < n && (j == m || whole || common[i+1][j] >= common[i][j+1]):
			say(i, "-"+d.a[i])
			i++
		default:
			say(i, "+"+d.b[j])
			j++
		}
	}
	return out
}
