package streams

// Forms are what a Redactor looks for.
func Forms(secrets []string) []string {
	var forms []string
	for _, form := range NewRedactor(secrets).forms {
		forms = append(forms, string(form))
	}
	return forms
}
