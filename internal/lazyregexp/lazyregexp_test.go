package lazyregexp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/lazyregexp"
)

func TestItSaysWhatTheStandardLibrarySays(t *testing.T) {
	t.Parallel()
	r := lazyregexp.New(`^a(b*)$`)
	if !r.MatchString("abb") || r.MatchString("ba") || !r.MatchString("a") {
		t.Error("a match is wrong")
	}
	if !r.Match([]byte("abb")) || r.Match([]byte("ba")) {
		t.Error("a match of bytes is wrong")
	}
	if found := lazyregexp.New(`b+`).FindString("abbab"); found != "bb" {
		t.Errorf("found %q", found)
	}
	if diff := cmp.Diff([]string{"abb", "bb"}, r.FindStringSubmatch("abb")); diff != "" || r.FindStringSubmatch("b") != nil {
		t.Error(diff)
	}
}

func TestAWrongPatternPanicsWhenItIsAsked(t *testing.T) {
	t.Parallel()
	wrong := lazyregexp.New(`(`)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	wrong.MatchString("")
}
