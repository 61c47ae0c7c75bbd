package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
)

// A body of the library that is not in the order of evaluation, and whatever else
// the strict compiler would rewrite and the other one does not, shows here.
func TestTheLibraryNeedsNoCheckAtEachStart(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} { // no file of a plain yes needs one of the others
		strict, quick, err := policy.CompileTwice(plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(strict) < 9 {
			t.Errorf("the library has %d modules", len(strict))
		}
		if diff := cmp.Diff(strict, quick); diff != "" {
			t.Errorf("write the library so that the compiler has nothing to rewrite (-strict, +unchecked):\n%s", diff)
		}
	}
}
