# METADATA
# title: No domain controllers from a help desk
# description: |
#   The names of domain controllers fit the pattern of host names. They begin
#   with dc, and a help desk does nothing to them, whatever the runbook.
package writ.user.arguments

# METADATA
# labels: {id: no-domain-controllers}
deny contains {"code": "domain-controller", "msg": msg, "hint": hint} if {
	some name in {"ComputerName", "host"}
	startswith(input.parameters[name], "dc-")
	msg := sprintf("%s names a domain controller", [name])
	hint := "ask the administrators"
}
