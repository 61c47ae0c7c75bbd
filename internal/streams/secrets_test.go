package streams_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/runwrit/writ/internal/streams"
)

func TestASecretThatBecomesKnownMeanwhileIsTakenOutFromThenOn(t *testing.T) {
	t.Parallel()
	for name, known := range map[string][]string{"others known": {"hunter2"}, "none known": nil} {
		more := &streams.Secrets{}
		r := streams.NewRedactor(known)
		r.Follow(more)
		write := func(text string) string { return string(r.Next([]byte(text))) }
		if got := write("first token-one;"); got != "first token-one;" {
			t.Errorf("%s: %q", name, got)
		}
		more.Add("token-one")
		got := write("a token-one b tok")
		more.Add("token-two") // while the beginning of both is kept back
		got += write("en-two c")
		other := r.Clone()
		more.Add("token-three")
		got += write(" token-three") + string(r.Rest())
		if want := "a *** b *** c ***"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := string(other.Next([]byte("token-two token-three."))); got != "*** ***." {
			t.Errorf("%s, a clone: %q", name, got)
		}
	}
}

func TestOnlySoManySecretsBecomeKnown(t *testing.T) {
	t.Parallel()
	more := &streams.Secrets{}
	r := streams.NewRedactor(nil)
	r.Follow(more)
	var text strings.Builder
	for i := range streams.MaxSecrets + 1 {
		for range 2 { // one counts once, however often it comes
			if added := more.Add(fmt.Sprintf("secret-%03d", i)); added != (i < streams.MaxSecrets) {
				t.Errorf("%d: %t", i, added)
			}
		}
		fmt.Fprintf(&text, "secret-%03d\n", i)
	}
	want := strings.Repeat("***\n", streams.MaxSecrets) + fmt.Sprintf("secret-%03d\n", streams.MaxSecrets)
	if got := string(r.Next([]byte(text.String()))) + string(r.Rest()); got != want {
		t.Errorf("%q", got)
	}
}

func TestSecretsAreAddedWhileOthersRead(t *testing.T) {
	t.Parallel()
	more := &streams.Secrets{}
	r := streams.NewRedactor(nil)
	r.Follow(more)
	readers := []*streams.Redactor{r, r.Clone(), r.Clone()}
	var all sync.WaitGroup
	for _, r := range readers {
		all.Go(func() {
			for range 200 {
				r.Next([]byte("some text with secret-7 in it\n"))
			}
		})
	}
	for i := range 20 {
		more.Add(fmt.Sprintf("secret-%d", i))
	}
	all.Wait()
	for _, r := range readers {
		if got := string(r.Next([]byte("secret-19."))); !strings.HasSuffix(got, "***.") {
			t.Errorf("%q", got)
		}
	}
}
