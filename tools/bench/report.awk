# report.awk -v form=markdown|json MACHINE RESULTS: the report. RESULTS has "section name round value".
# With form=markdown, exit 1 when a goal is missed.

BEGIN {
	FS = "\t"
	DEATH_MS = 2000
	SCAN_MS = 200
}

FNR == NR {
	machine[++machines] = $1
	machine_value[$1] = $2
	next
}

{
	key = $1 SUBSEP $2
	if (!(key in count))
		keys[++key_count] = key
	value[key, ++count[key]] = $4
	round_value[$1, $2, $3] = $4
}

# Puts the values of a key in order.
function sort_values(key,    i, j, held) {
	for (i = 2; i <= count[key]; i++) {
		held = value[key, i] + 0
		for (j = i - 1; j >= 1 && value[key, j] + 0 > held; j--)
			value[key, j + 1] = value[key, j]
		value[key, j + 1] = held
	}
}

# The value below which this share of them lies; key is sorted.
function quantile(key, share,    at) {
	at = int(share * count[key])
	if (at < share * count[key])
		at++
	return value[key, at < 1 ? 1 : at]
}

function median(key,    middle) {
	middle = int((count[key] + 1) / 2)
	return count[key] % 2 ? value[key, middle] : (value[key, middle] + value[key, middle + 1]) / 2
}

# Adds the ratio of each pair as values of their own.
function add_ratio(section, name, base,    i, key) {
	key = section SUBSEP "ratio"
	for (i = 1; (section, name, i) in round_value && (section, base, i) in round_value; i++)
		value[key, ++count[key]] = round_value[section, name, i] / round_value[section, base, i]
	if (count[key])
		keys[++key_count] = key
}

# Holds a measured value against a limit; nothing was measured when the key has no values.
function goal(text, key, measured, sense, limit) {
	if (!count[key])
		return
	goal_text[++goals] = text
	goal_value[goals] = measured
	goal_limit[goals] = sense " " limit
	goal_met[goals] = sense == ">=" ? measured >= limit : measured <= limit
	if (!goal_met[goals])
		missed = 1
}

function shown(number) {
	return number >= 1000 || number == int(number) ? sprintf("%.0f", number) : sprintf("%.3g", number)
}

function print_json(    i, part) {
	printf "{\n  \"machine\": {"
	for (i = 1; i <= machines; i++)
		printf "%s\n    \"%s\": \"%s\"", (i > 1 ? "," : ""), machine[i], machine_value[machine[i]]
	printf "\n  },\n  \"figures\": ["
	for (i = 1; i <= key_count; i++) {
		split(keys[i], part, SUBSEP)
		printf "%s\n    {\"section\": \"%s\", \"name\": \"%s\", \"runs\": %d, \"median\": %s, " \
			"\"p99\": %s, \"least\": %s, \"most\": %s}", (i > 1 ? "," : ""), part[1], part[2],
			count[keys[i]], median(keys[i]), quantile(keys[i], 0.99), value[keys[i], 1],
			value[keys[i], count[keys[i]]]
	}
	printf "\n  ],\n  \"goals\": ["
	for (i = 1; i <= goals; i++)
		printf "%s\n    {\"goal\": \"%s\", \"limit\": \"%s\", \"value\": %s, \"met\": %s}",
			(i > 1 ? "," : ""), goal_text[i], goal_limit[i], goal_value[i],
			goal_met[i] ? "true" : "false"
	printf "\n  ]\n}\n"
}

function print_markdown(    i, part) {
	print "# locum: measured\n"
	for (i = 1; i <= machines; i++)
		printf "- %s: %s\n", machine[i], machine_value[machine[i]]
	print "\n| goal | limit | measured | |\n| --- | --- | --- | --- |"
	for (i = 1; i <= goals; i++)
		printf "| %s | %s | %s | %s |\n", goal_text[i], goal_limit[i], shown(goal_value[i]),
			goal_met[i] ? "met" : "**missed**"
	print "\n| section | figure | runs | median | p99 | least | most |\n" \
		"| --- | --- | --- | --- | --- | --- | --- |"
	for (i = 1; i <= key_count; i++) {
		split(keys[i], part, SUBSEP)
		printf "| %s | %s | %d | %s | %s | %s | %s |\n", part[1], part[2], count[keys[i]],
			shown(median(keys[i])), shown(quantile(keys[i], 0.99)), shown(value[keys[i], 1]),
			shown(value[keys[i], count[keys[i]]])
	}
}

function set_goals(    key, both) {
	key = "claim_complete_1000" SUBSEP "ratio"
	goal("claim + complete, batches of 1000, to the bare loop", key, median(key), ">=", 0.6)
	key = "claim_complete_100" SUBSEP "ratio"
	goal("claim + complete, batches of 100, to the bare loop", key, median(key), ">=", 0.6)
	key = "end_to_end" SUBSEP "ratio"
	goal("end to end with /bin/true, to xargs -P 4 -n 1", key, median(key), ">=", 0.6)
	key = "plugin" SUBSEP "ratio"
	goal("end to end with a plugin that does nothing, to the bare loop", key, median(key), ">=", 0.4)
	key = "plugin" SUBSEP "agent_and_host_mb"
	goal("locum-agent + one plugin host, MB", key, quantile(key, 1), "<=", 15)
	key = "service" SUBSEP "c"
	goal("end to end with a service in C, jobs/s", key, median(key), ">=", 40000)
	key = "service" SUBSEP "python"
	goal("end to end with a service in Python, jobs/s", key, median(key), ">=", 10000)
	key = "service" SUBSEP "node"
	goal("end to end with a service in Node, jobs/s", key, median(key), ">=", 15000)
	key = "reclaim" SUBSEP "killed_to_reclaimed_ms"
	goal("reclaimed after kill -9, slowest run, ms", key, quantile(key, 1), "<=", DEATH_MS + 2 * SCAN_MS)
	key = "memory" SUBSEP "agent_100_mb"
	both = "memory" SUBSEP "locumd_100_mb"
	goal("locumd + locum-agent, 100 handlers running, MB", key, value[key, 1] + value[both, 1], "<=", 25)
	key = "memory" SUBSEP "agent_flood_mb"
	goal("locum-agent, a handler wrote 1 GB, MB", key, value[key, 1], "<=", 64)
	key = "ping" SUBSEP "wal_bytes"
	goal("WAL of a ping without full-page images, bytes", key, median(key), "<=", 200)
	key = "idle" SUBSEP "locumd_and_agent_percent"
	goal("an idle dispatcher with its agent, % of a core", key, median(key), "<=", 0.1)
	key = "idle" SUBSEP "statements_per_s"
	goal("statements of an idle dispatcher, per second", key, median(key), "<=", 3)
	key = "fleet_1000" SUBSEP "server_percent"
	goal("PostgreSQL under 1,000 idle dispatchers, % of a core", key, median(key), "<=", 15)
}

END {
	add_ratio("claim_complete_1000", "locum", "bare")
	add_ratio("claim_complete_100", "locum", "bare")
	add_ratio("end_to_end", "locum", "xargs")
	add_ratio("plugin", "locum", "bare")
	for (i = 1; i <= key_count; i++)
		sort_values(keys[i])
	set_goals()
	if (form == "json")
		print_json()
	else
		print_markdown()
	exit form == "markdown" && missed
}
