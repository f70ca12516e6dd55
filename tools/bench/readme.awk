# readme.awk REPORT.JSON README.MD: the README with the table of the goals between its two markers made anew, from a report as
# report.awk writes it: one goal a line.

# field NAME: its value in the line, a text without its quotes; "" if it is not there
function field(name,    rest) {
	if (!match($0, "\"" name "\": "))
		return ""
	rest = substr($0, RSTART + RLENGTH)
	if (substr(rest, 1, 1) == "\"") {
		rest = substr(rest, 2)
		sub(/".*/, "", rest)
	} else {
		sub(/[,}].*/, "", rest)
	}
	return rest
}

function shown(number) {
	number += 0
	return number >= 100 || number == int(number) ? sprintf("%.0f", number) : sprintf("%.3g", number)
}

function print_table(    i) {
	printf "Measured at %s with PostgreSQL %s on %s processors (%s), Linux %s:\n\n", machine["measured_at"],
		machine["postgresql"], machine["processors"], machine["processor"], machine["kernel"]
	print "| what | goal | measured | runs |\n| --- | --- | --- | --- |"
	for (i = 1; i <= goals; i++)
		print goal[i]
	print ""
}

FNR == 1 { file++ }

file == 1 && /^    "[a-z_]*": "/ {
	name = $0
	sub(/^    "/, "", name)
	sub(/".*/, "", name)
	machine[name] = field(name)
}

file == 1 && /^    \{"goal": / {
	# With --full it would be.
	if (field("reason") == "not part of this run")
		next
	if (field("state") == "not measured")
		goal[++goals] = "| " field("goal") " | " field("limit") " | not measured: " field("reason") " | |"
	else
		goal[++goals] = "| " field("goal") " | " field("limit") " | " shown(field("value")) \
			(field("state") == "missed" ? ", **missed**" : "") " | " field("runs") " |"
	next
}

file == 2 && /^<!-- end of the benchmark -->$/ { inside = 0 }
file == 2 && !inside
file == 2 && /^<!-- benchmark: / {
	inside = found = 1
	print_table()
}

END { exit !found || inside }
