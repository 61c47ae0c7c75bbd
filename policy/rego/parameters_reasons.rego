package writ.gate

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
	not pattern_fits(wanted, value)
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
