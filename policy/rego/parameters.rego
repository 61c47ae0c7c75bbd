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
	pattern_fits(wanted, value)
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

# How long a match takes grows with the pattern and with the value: a large value
# has no pattern.
pattern_fits(wanted, _) if wanted.pattern == ""

pattern_fits(wanted, value) if {
	count(value) <= 32768
	regex.match(wanted.anchored, value)
}

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
