package policy

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
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
	document, converting := ast.JSON(inputValue(in, in.Policy, &f))
	text, writing := json.Marshal(document)
	return text, errors.Join(converting, writing)
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

// libraryFilesText are the files of the library as they are embedded: reading them
// cannot fail.
func libraryFilesText() []File {
	var files []File
	_ = fs.WalkDir(libraryFiles, "rego", func(name string, d fs.DirEntry, err error) error {
		data, reading := libraryFiles.ReadFile(name)
		if d.IsDir() {
			return err
		}
		files = append(files, File{Name: path.Base(name), Data: data})
		return reading
	})
	return files
}
