package policy

import "time"

// Limits of a policy folder and of one decision. What passes one of them is
// refused, never cut.
const (
	// MaxGrantsSize is the largest grants.yaml in bytes.
	MaxGrantsSize = 64 << 20
	// MaxGateGrantsSize is the largest one that a gate reads itself at each run, so
	// that no file keeps it busy for long. What is larger is activated as a bundle.
	MaxGateGrantsSize = 8 << 20
	// MaxRegoSize is the largest .rego file in bytes.
	MaxRegoSize = 1 << 20
	// MaxRegoFiles is how many .rego files and tests a policy folder may hold.
	MaxRegoFiles = 200
	// MaxTestsSize is the largest tests.yaml in bytes.
	MaxTestsSize = 4 << 20

	// maxGrantsMarks bounds the punctuation of grants.yaml, and with it the
	// memory that the YAML tree takes: a node needs at least one mark.
	maxGrantsMarks     = 6_000_000
	maxGateGrantsMarks = 1_000_000
	// maxProblems is how many problems of a policy are listed.
	maxProblems = 100

	// maxNesting is how deep groups may stand inside groups.
	maxNesting = 32
	// maxMemberships bounds what groups inside groups add.
	maxMemberships = 2_000_000

	maxHours      = 50
	maxFreezes    = 1_000
	maxExemptions = 1_000
	maxModes      = 10_000
	maxSecrets    = 1_000 // positions, of which some may be secret
	maxRoles      = 5     // that a rule asks for: their sets are looked at one by one
	maxRules      = 200_000
	maxList       = 1_000 // entries of one list inside a rule
	maxName       = 64    // of a person, group, rule, worker group, label
	maxGlob       = 1_024
	maxPattern    = 512
	// maxPatternCost bounds the instructions that a pattern compiles to, so
	// that matching stays linear in a small number.
	maxPatternCost = 2_000
	maxReasonText  = 512 // of the reason of a denied digest
	maxSigstore    = 512 // of an issuer and of a name in the certificate of a bundle: the verifier takes no longer one

	// MaxArguments is how many arguments a runbook may be given.
	MaxArguments = 256
	// MaxArgument is the longest value of an argument in bytes.
	MaxArgument = 1 << 20
	// maxArgumentsSize is the length of all names and values together.
	maxArgumentsSize = 1 << 20
	// maxListed is the longest value that a rule may list; a longer one than that, in
	// characters, matches no pattern: see parameters.rego.
	maxListed = 32 << 10

	// MaxApprovals is how many statements on one runbook a decision looks at.
	MaxApprovals = 64

	maxPath       = 4_096
	maxSignatures = 64
	maxFindings   = 1_000
	maxIDs        = 16
	maxGroups     = 10_000
	maxLabels     = 100
	maxText       = 4_096 // of any other text of the input

	// evalDeadline is how long one evaluation of the policy may take: no run waits
	// two seconds for its denial.
	evalDeadline = 1500 * time.Millisecond
	// evaluatorLife is how long an unused goroutine waits for an evaluation.
	evaluatorLife = 10 * time.Second
	// permitLife is how long a permit lasts: a decision is for here and now.
	permitLife = time.Minute
	// maxNearMisses is how many rules that cannot fit the worker are handed to
	// the policy all the same, so that it can say why.
	maxNearMisses = 16
	// maxCandidates is how many rules may fit one runbook and one worker.
	maxCandidates = 5_000
	// maxKnownRules is how many rules an engine keeps ready to be decided by.
	maxKnownRules = 1_000
	// maxFiled is under how many pairs of keys, of runbooks and of workers, a rule
	// is filed; one with more is filed for any worker.
	maxFiled = 32
	// maxReasons is how many reasons a decision lists.
	maxReasons = 100
)

// Bounds of `run.timeout` in grants.yaml.
const (
	MinTimeout     = time.Second
	MaxTimeout     = 24 * time.Hour
	DefaultTimeout = time.Hour
)
