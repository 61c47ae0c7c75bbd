package signer_test

import (
	"errors"
	"testing"

	"github.com/runwrit/writ/signer"
)

func TestAProfileRefusesWhatItsServiceWouldChange(t *testing.T) {
	t.Parallel()
	eachFormat(t, func(t *testing.T, s studio) {
		for name, c := range map[string]struct {
			source string
			line   int
		}{
			"a character that is not ASCII": {"'a'\n'ü'\n", 2},
			"a byte-order mark":             {"\xEF\xBB\xBF'a'\n", 1},
			"UTF-16":                        {"\xFF\xFE'\x00a\x00'\x00", 1},
			"bytes that are not UTF-8":      {"'a'\n\n'\xFF'\n", 3},
		} {
			dir := newFiles(t)
			o := s.Options
			o.Profile = signer.AzureAutomation
			_, err := signer.SignFile(t.Context(), dir.write("job.ps1", []byte(c.source)), o)
			var ie *signer.InputError
			if !errors.As(err, &ie) || ie.Line != c.line || ie.Fix == "" {
				t.Errorf("%s: %v", name, err)
			}
			if string(dir.read("job.ps1")) != c.source || len(dir.names()) != 1 {
				t.Errorf("%s: something was written", name)
			}
		}
		path := newFiles(t).write("job.ps1", []byte("'a'\n'b'\n"))
		o := s.Options
		o.Profile = "elsewhere"
		if _, err := signer.SignFile(t.Context(), path, o); err == nil {
			t.Error("signed for an unknown profile")
		}
		o.Profile = signer.AzureAutomation
		if _, err := signer.SignFile(t.Context(), path, o); err != nil {
			t.Error(err)
		}
	})
}
