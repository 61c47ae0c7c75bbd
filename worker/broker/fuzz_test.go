package broker_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/worker/broker"
)

// FuzzRequest: what is read means one thing, nobody gets a token without the secret,
// and every answer is one of the protocol's own.
func FuzzRequest(f *testing.F) {
	arc, service := open(f, broker.Arc), open(f, broker.AppService)
	for _, r := range []*run{arc, service} {
		whole := strings.ReplaceAll(r.head(), string(r.Secret()), "SECRET")
		whole = strings.ReplaceAll(whole, r.address(), "HOST")
		for _, seed := range []string{
			whole, "", "\r\n\r\n", strings.ReplaceAll(whole, "\r\n", "\n"), strings.Replace(whole, "GET", "POST", 1), strings.Replace(whole, "resource=", "resource=a&resource=", 1),
			strings.Replace(whole, "HOST", "evil.example", 1), strings.Replace(whole, "\r\n\r\n", "\r\nX-Forwarded-For: a\r\n\r\n", 1), whole + whole,
			strings.Replace(whole, "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1), strings.Replace(whole, "2019-08-01", "2017-09-01&clientid=", 1), strings.Replace(whole, "SECRET", "", 1),
		} {
			f.Add([]byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		method, path, query, header, err := broker.Read(head)
		if err == nil {
			var again strings.Builder
			target := path
			if query != "" {
				target += "?" + query
			}
			fmt.Fprintf(&again, "%s %s HTTP/1.1\r\n", method, target)
			for _, name := range slices.Sorted(maps.Keys(header)) {
				fmt.Fprintf(&again, "%s: %s\r\n", name, header[name])
			}
			again.WriteString("\r\n")
			method2, path2, query2, header2, err := broker.Read([]byte(again.String()))
			if err != nil || method2 != method || path2 != path || query2 != query || !cmp.Equal(header, header2) {
				t.Fatalf("%q is read as %q, and that otherwise: %v", head, again.String(), err)
			}
		}
		for _, r := range []*run{arc, service} {
			r.t = t
			r.host.pass(broker.Pace)
			host := strings.ReplaceAll(string(head), "HOST", r.address())
			if got := r.parse(r.Respond([]byte(host))); got.status == 200 || got.code() == "" || strings.Contains(got.text, theToken) {
				t.Fatalf("%q: %s", host, got.text)
			}
			got := r.parse(r.Respond([]byte(strings.ReplaceAll(host, "SECRET", string(r.Secret())))))
			if got.status == 200 && got.body["resource"] != app && !strings.HasPrefix(fmt.Sprint(got.body["resource"]), azure) {
				t.Fatalf("%q: %s", host, got.text)
			}
		}
	})
}
