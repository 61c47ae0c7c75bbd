package writ.gate

# METADATA
# labels: {id: writ/workers}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not workers_hold(rule)
	not worker_group_fits(rule)
	input.worker.group == ""
	lack := {
		"part": "workers", "code": "worker-group-missing",
		"msg": sprintf("the worker has no group, and the rule wants one of %s", [words(rule.workers.groups)]),
		"hint": "give the worker a group in its own configuration",
	}
}

# METADATA
# labels: {id: writ/workers}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not workers_hold(rule)
	not worker_group_fits(rule)
	input.worker.group != ""
	lack := {
		"part": "workers", "code": "worker-not-allowed",
		"msg": sprintf("the worker's group %s is not one of %s", [input.worker.group, words(rule.workers.groups)]),
		"hint": sprintf("run it on a worker of %s", [words(rule.workers.groups)]),
	}
}

# METADATA
# labels: {id: writ/workers}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not workers_hold(rule)
	not worker_id_fits(rule)
	lack := {
		"part": "workers", "code": "worker-not-allowed",
		"msg": sprintf("the worker %q is not one of %s", [input.worker.id, words(rule.workers.ids)]),
		"hint": sprintf("run it on %s", [words(rule.workers.ids)]),
	}
}

# METADATA
# labels: {id: writ/workers}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not workers_hold(rule)
	some name, values in rule.workers.labels
	not label_fits(name, values)
	lack := {
		"part": "workers", "code": "worker-not-allowed",
		"msg": sprintf("the worker's label %s is not %s", [name, words(values)]),
		"hint": sprintf("run it on a worker with %s: %s", [name, words(values)]),
	}
}

label_fits(name, values) if input.worker.labels[name] in values

# METADATA
# labels: {id: writ/workers}
lacks[rule.name] contains lack if {
	some rule in input.grants.rules
	not workers_hold(rule)
	not worker_identity_fits(rule)
	lack := {
		"part": "workers", "code": "worker-identity-not-allowed",
		"msg": sprintf("the worker's managed identity is %q, not one of %s", [object.get(input.worker, "identity", ""), words(rule.workers.identities)]),
		"hint": sprintf("run it on a worker whose configuration proves one of %s", [words(rule.workers.identities)]),
	}
}
