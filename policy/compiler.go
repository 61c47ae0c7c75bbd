package policy

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// newCompiler is the strict one, for files of users and what stands beside them.
func (b *builder) newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(b.caps).WithStrict(true).WithDefaultRegoVersion(ast.RegoV1).WithSchemas(inputTypes())
}

// inputTypes tells the compiler the fields of the input, so that a misspelled one
// is an error and not a rule that never holds.
func inputTypes() *ast.SchemaSet {
	var schema any
	_ = json.Unmarshal(inputSchema, &schema) // embedded; tests validate by it
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	return schemas
}

// checks are the stages of the compiler that look for mistakes, what only these
// need, and those that rewrite what the library does not use. CheckSafetyRuleBodies puts the
// expressions of a body in an order in which they can be evaluated, too: the
// library is written in that order.
var checks = []ast.StageID{
	ast.StageCheckUnusedImports, ast.StageCheckKeywordOverrides, ast.StageCheckDuplicateImports, ast.StageCheckVoidCalls,
	ast.StageCheckRuleConflicts, ast.StageCheckUndefinedFuncs, ast.StageCheckSafetyRuleHeads, ast.StageCheckSafetyRuleBodies,
	ast.StageCheckRecursion, ast.StageCheckTypes, ast.StageCheckUnsafeBuiltins, ast.StageCheckDeprecatedBuiltins,
	ast.StageParseMetadataBlocks, ast.StageSetAnnotationSet, ast.StageRewriteRegoMetadataCalls, ast.StageRewriteTemplateStrings,
	ast.StageRewritePrintCalls, ast.StageRewriteWithValues, ast.StageBuildRequiredCapabilities,
	ast.StageSetGraph, ast.StageBuildComprehensionIndices,
}

// uncheckedCompiler is for the library alone, which is the same at every start
// of the program. A test holds that the strict compiler accepts it and makes the
// same of it. Checking it again would take most of the time of a short run.
func (b *builder) uncheckedCompiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(b.caps).WithDefaultRegoVersion(ast.RegoV1).WithSkipStages(checks...)
}
