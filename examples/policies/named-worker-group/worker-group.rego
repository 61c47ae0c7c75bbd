# METADATA
# title: No job without a worker group
# description: |
#   A job that names no worker group would run on any worker, or in the cloud.
#   The worker's own configuration says which group it is in.
package writ.user

# METADATA
# labels: {id: worker-group}
deny contains {"code": "worker-group-required", "msg": msg, "hint": hint} if {
	input.worker.group == ""
	msg := "the worker is in no group, and no job may run without one"
	hint := "give the worker a group in its own configuration"
}
