package policy

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Document is what the policy reads as input when it decides on in, as JSON: an
// OPA with the Library and the user's Rego answers data.writ.gate.decision on it
// as this engine does. It holds the values of all parameters.
func (e *Engine) Document(in Input) ([]byte, error) {
	if e == nil || e.rows == nil {
		return nil, errors.New("no policy is loaded")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	in.Policy = e.Policy()
	f, err := e.lookUp(&in, false)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	value, err := inputValue(data, in.Policy, &f)
	if err != nil {
		return nil, err
	}
	document, err := ast.JSON(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

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
