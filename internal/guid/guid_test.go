package guid_test

import (
	"testing"

	"github.com/runwrit/writ/internal/guid"
)

func TestOnlyTheOneFormIsValid(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"01234567-89ab-cdef-0123-456789abcdef":      true,
		"01234567-89AB-cdef-0123-456789abcdef":      false,
		"0123456789abcdef0123456789abcdef0123":      false,
		"01234567-89ab-cdef-0123-456789abcde-":      false,
		"01234567-89ab-cdef-0123-456789abcde":       false,
		"{1234567-89ab-cdef-0123-456789abcdef":      false,
		"01234567-89ab-cdef-0123-456789abcde\u00e9": false,
		"": false,
	} {
		if guid.Valid(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
