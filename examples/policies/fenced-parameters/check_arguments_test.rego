package writ.user.arguments_test

import data.writ.user.arguments

test_a_domain_controller_is_denied if {
	count(arguments.deny) == 1 with input as {"parameters": {"ComputerName": "dc-01"}}
	count(arguments.deny) == 1 with input as {"parameters": {"host": "dc-02"}}
}

test_other_computers_are_not if {
	count(arguments.deny) == 0 with input as {"parameters": {"ComputerName": "pc-01", "Service": "dc-"}}
}
