package identity_test

import "testing"

func BenchmarkVerify(b *testing.B) {
	is := table(b, set())
	for name, token := range map[string]string{
		"RS256": rs256(entraClaims()), "ES256": sign(`{"alg":"ES256","kid":"e"}`, entraClaims().String(), "ES256", keys().ec), "refused": hs256(entraClaims(), nil),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := is.Verify(b.Context(), []byte(token), noon); (err != nil) != (name == "refused") {
					b.Fatal(err)
				}
			}
		})
	}
}
