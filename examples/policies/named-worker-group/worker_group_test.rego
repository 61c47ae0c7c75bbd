package writ.user_test

import data.writ.user

test_no_group_is_denied if {
	codes := {reason.code | some reason in user.deny} with input as {"worker": {"group": ""}}
	codes == {"worker-group-required"}
}

test_any_group_will_do if {
	count(user.deny) == 0 with input as {"worker": {"group": "payroll"}}
}
