package writ.gate

workers_hold(rule) if rule.workers.any == true

workers_hold(rule) if {
	rule.workers.named == true
	worker_group_fits(rule)
	worker_id_fits(rule)
	worker_labels_fit(rule)
	worker_identity_fits(rule)
}

worker_identity_fits(rule) if rule.workers.any_identity == true

worker_identity_fits(rule) if input.worker.identity in rule.workers.identities

worker_group_fits(rule) if rule.workers.any_group == true

worker_group_fits(rule) if {
	input.worker.group != ""
	input.worker.group in rule.workers.groups
}

worker_id_fits(rule) if rule.workers.any_id == true

worker_id_fits(rule) if {
	input.worker.id != ""
	input.worker.id in rule.workers.ids
}

worker_labels_fit(rule) if rule.workers.any_label == true

worker_labels_fit(rule) if {
	every name, values in rule.workers.labels {
		input.worker.labels[name] in values
	}
}
