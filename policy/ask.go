package policy

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// reasonsFile ends the names of the files of the library that only give reasons.
const reasonsFile = "_reasons.rego"

// wholeFiles are further files that no plain yes needs.
var wholeFiles = []string{"exemptions.rego", "breakglass.rego"}

// plainFiles are the files of the library that a plain yes needs: a third of it, so
// that a run which is allowed starts sooner.
func plainFiles() []File {
	return slices.DeleteFunc(libraryFilesText(), func(f File) bool {
		return strings.HasSuffix(f.Name, reasonsFile) || slices.Contains(wholeFiles, f.Name)
	})
}

// whole prepares the question for the decision when it is asked for the first time:
// with the compiler that there is, or, where that knows only the plain files, with
// one for the whole library.
func (b builder) whole(c *ast.Compiler, plain bool) func() (rego.PreparedEvalQuery, error) {
	return sync.OnceValues(func() (rego.PreparedEvalQuery, error) {
		if plain {
			c, _ = b.compile(nil, libraryFilesText()) // without a compiler no question has an answer
		}
		return b.prepare(context.Background(), c, queryDecision)
	})
}

// ask evaluates the policy. A plain yes is the same that the whole library would give,
// and found sooner; in all other cases what the whole library says counts, and
// nothing else.
func (e *Engine) ask(ctx context.Context, in *Input, f *facts) (*document, error) {
	value := inputValue(*in, e.Policy(), f)
	// What exemptions and break-glass statements lift, only the whole library knows.
	if len(f.exemptions) == 0 && len(f.glass) == 0 {
		doc, err := e.answer(ctx, e.plain, value)
		if err != nil || doc.allow && len(doc.userDeny) == 0 {
			return doc, err
		}
	}
	whole, err := e.whole()
	if err != nil {
		return nil, err
	}
	return e.answer(ctx, &whole, value)
}

func (e *Engine) answer(ctx context.Context, q *rego.PreparedEvalQuery, value ast.Value) (*document, error) {
	result, err := e.pool.evaluate(ctx, q, value)
	if err != nil {
		return nil, err
	}
	return decodeDocument(result)
}
