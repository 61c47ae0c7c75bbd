package policy

import (
	"slices"
	"strings"
)

// Library returns the built-in library as files, with the one, users.rego, that
// collects what the Rego of src answers: together with src.Rego it is all that an
// OPA needs to answer data.writ.gate.decision. It fails with *SyntaxError.
func Library(src Source) ([]File, error) {
	b := builder{caps: capabilities()}
	modules, problems := b.parseUser(src.Rego)
	var packages []userAnswers
	if len(problems) == 0 {
		packages, problems = checkUser(modules)
	}
	if len(problems) > 0 {
		return nil, &SyntaxError{Problems: problems}
	}
	files := append(libraryFilesText(), File{Name: "users.rego", Data: []byte(collector(packages))})
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// libraryFilesText are the files of the library as they are embedded.
func libraryFilesText() []File {
	entries, err := libraryFiles.ReadDir("rego")
	if err != nil {
		panic(err) // embedded at build time
	}
	files := make([]File, 0, len(entries)+1)
	for _, e := range entries {
		data, err := libraryFiles.ReadFile("rego/" + e.Name())
		if err != nil {
			panic(err) // embedded at build time
		}
		files = append(files, File{Name: e.Name(), Data: data})
	}
	return files
}
