package policy_test

import (
	"testing"

	"github.com/runwrit/writ/policy"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	tests := []struct {
		name   string
		change func(*policy.Input)
		deny   string
	}{
		{"what the rule names is allowed", func(*policy.Input) {}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := good()
			tt.change(&in)
			d := e.Decide(t.Context(), in)
			if tt.deny == "" {
				if !d.Allow || len(d.Deny) > 0 {
					t.Fatalf("denied: %+v", d.Deny)
				}
				return
			}
			mustDeny(t, d, tt.deny)
		})
	}
}
