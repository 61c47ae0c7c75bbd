package writ.gate

# Every argument must be named by the rule, and every required parameter given.
parameters_hold(rule) if {
	every name, value in input.parameters {
		parameter_fits(rule, name, value)
	}
	every name in rule.required {
		input.parameters[name]
	}
}

parameter_fits(rule, name, value) if {
	wanted := parameter_of(rule, name)
	type_fits(wanted.type, value)
	regex.match(wanted.anchored, value)
	enum_fits(wanted, value)
	range_fits(wanted, name)
}

parameter_of(rule, name) := rule.parameters[name]

parameter_of(rule, name) := rule.parameters["*"] if {
	regex.match(`\A[0-9]+\z`, name)
	not rule.parameters[name]
}

type_fits("string", _)

type_fits("int", value) if regex.match(`\A-?(?:0|[1-9][0-9]{0,17})\z`, value)

type_fits("number", value) if regex.match(`\A-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?\z`, value)

type_fits("bool", value) if value in {"true", "false"}

enum_fits(wanted, _) if wanted.any_value == true

enum_fits(wanted, value) if value in wanted.enum

# Numbers are lists, of what is before and behind the point.
range_fits(wanted, _) if wanted.any_number == true

range_fits(wanted, name) if {
	input.grants.numbers[name] >= wanted.min
	below_max(wanted, name)
}

below_max(wanted, _) if count(wanted.max) == 0

below_max(wanted, name) if input.grants.numbers[name] <= wanted.max

# What a rule wants of a value tells of the value: of a secret one it is not told.
told(wanted, text) := text if wanted.secret == false

told(wanted, _) := "" if wanted.secret == true

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name, _ in input.parameters
	not parameter_of(rule, name)
	lack := {
		"part": "parameters", "code": "parameter-unknown",
		"msg": sprintf("the parameter %s is not one that the rule allows", [name]),
		"hint": parameters_hint(rule),
	}
}

parameters_hint(rule) := sprintf("allowed are %s; letters count as they are written", [words(sort(object.keys(rule.parameters)))]) if {
	count(rule.parameters) > 0
}

parameters_hint(rule) := "the rule allows no parameters" if count(rule.parameters) == 0

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name in rule.required
	not input.parameters[name]
	lack := {
		"part": "parameters", "code": "parameter-missing",
		"msg": sprintf("the parameter %s is required", [name]),
		"hint": "",
	}
}

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name, value in input.parameters
	wanted := parameter_of(rule, name)
	not type_fits(wanted.type, value)
	lack := {
		"part": "parameters", "code": "parameter-type",
		"msg": sprintf("the value of parameter %s is not of type %s", [name, wanted.type]),
		"hint": "",
	}
}

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name, value in input.parameters
	wanted := parameter_of(rule, name)
	not regex.match(wanted.anchored, value)
	lack := {
		"part": "parameters", "code": "parameter-pattern",
		"msg": sprintf("the value of parameter %s does not match its pattern", [name]),
		"hint": told(wanted, sprintf("want %s", [wanted.pattern])),
	}
}

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name, value in input.parameters
	wanted := parameter_of(rule, name)
	not enum_fits(wanted, value)
	lack := {
		"part": "parameters", "code": "parameter-enum",
		"msg": sprintf("the value of parameter %s is not one of those that the rule lists", [name]),
		"hint": told(wanted, sprintf("want one of %s", [words(wanted.enum)])),
	}
}

# METADATA
# labels: {id: writ/parameters}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	some name, _ in input.parameters
	wanted := parameter_of(rule, name)
	not range_fits(wanted, name)
	lack := {
		"part": "parameters", "code": "parameter-range",
		"msg": sprintf("the value of parameter %s is not within its range", [name]),
		"hint": told(wanted, sprintf("want a number %s", [wanted.range])),
	}
}
