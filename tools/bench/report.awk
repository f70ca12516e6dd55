# report.awk -v form=markdown|json -v ran="SECTION…" -v plots="FILE…" MACHINE PEERS SKIPPED GOALS RESULTS: the report.
#
# MACHINE, PEERS: "name<tab>value". SKIPPED: "section<tab>figure<tab>reason". RESULTS: "section figure unit round value".
# With form=markdown, exit 1 when a goal is missed.

BEGIN { FS = "\t" }

FNR == 1 { file++ }

# A file may be empty: its name counts.
FILENAME ~ /machine\.tsv$/ {
	machine[++machines] = $1
	machine_value[machines] = $2
	next
}

FILENAME ~ /peers\.tsv$/ {
	peer[++peers] = $1
	peer_text[peers] = $2
	next
}

FILENAME ~ /skipped\.tsv$/ {
	skipped_section[++skipped] = $1
	skipped_figure[skipped] = $2
	skipped_reason[skipped] = $3
	next
}

FILENAME ~ /goals\.tsv$/ {
	if (/^#/ || !index(" " ran " ", " " $1 " "))
		next
	goal_section[++goals] = $1
	goal_figure[goals] = $2
	goal_statistic[goals] = $3
	goal_base[goals] = $4
	goal_sense[goals] = $5
	goal_limit[goals] = $6
	goal_text[goals] = $7
	next
}

{
	key = $1 SUBSEP $2
	if (!(key in count))
		keys[++key_count] = key
	unit[key] = $3
	value[key, ++count[key]] = $5
	round_value[$1, $2, $4] = $5
	if ($4 > rounds)
		rounds = $4
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
	return value[key, at < 1 ? 1 : at] + 0
}

function median(key,    middle) {
	middle = int((count[key] + 1) / 2)
	return count[key] % 2 ? value[key, middle] + 0 : (value[key, middle] + value[key, middle + 1]) / 2
}

# Makes the ratios of the rounds that both have, sorted; returns their key.
function ratios(section, figure, base,    i, key) {
	key = section SUBSEP figure " / " base
	if (key in count)
		return key
	count[key] = 0
	for (i = 1; i <= rounds; i++)
		if ((section, figure, i) in round_value && round_value[section, base, i] + 0 > 0)
			value[key, ++count[key]] = round_value[section, figure, i] / round_value[section, base, i]
	sort_values(key)
	return key
}

# Why a goal has no figure.
function reason_of(goal,    i) {
	for (i = 1; i <= skipped; i++)
		if (skipped_section[i] == goal_section[goal] && skipped_figure[i] != "" &&
		    (index(goal_figure[goal], skipped_figure[i]) == 1 || index(goal_base[goal], skipped_figure[i]) == 1))
			return skipped_figure[i] ": " skipped_reason[i]
	for (i = 1; i <= skipped; i++)
		if (skipped_section[i] == goal_section[goal] && skipped_figure[i] == "the rest of it")
			return skipped_reason[i]
	return "not part of this run"
}

# Holds what was measured against the goals: goal_state is "met", "missed" or "not measured".
function judge(    i, key) {
	for (i = 1; i <= goals; i++) {
		key = goal_section[i] SUBSEP goal_figure[i]
		if (goal_statistic[i] == "ratio")
			key = ratios(goal_section[i], goal_figure[i], goal_base[i])
		goal_key[i] = key
		goal_state[i] = "not measured"
		if (!(key in count) || !count[key]) {
			goal_reason[i] = reason_of(i)
			continue
		}
		goal_value[i] = goal_statistic[i] == "most" ? quantile(key, 1) : median(key)
		met = goal_sense[i] == ">=" ? goal_value[i] >= goal_limit[i] + 0 : goal_value[i] <= goal_limit[i] + 0
		goal_state[i] = met ? "met" : "missed"
		if (!met)
			missed = 1
	}
}

# Three digits at least.
function shown(number) {
	return number >= 100 || number == int(number) ? sprintf("%.0f", number) : sprintf("%.3g", number)
}

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function figure_json(key,    part) {
	split(key, part, SUBSEP)
	return sprintf("{\"section\": %s, \"figure\": %s, \"unit\": %s, \"runs\": %d, \"median\": %.6g, \"p99\": %.6g, " \
		"\"least\": %.6g, \"most\": %.6g}", quoted(part[1]), quoted(part[2]), quoted(unit[key]), count[key],
		median(key), quantile(key, 0.99), quantile(key, 0), quantile(key, 1))
}

function goal_json(i,    text) {
	text = sprintf("{\"goal\": %s, \"section\": %s, \"figure\": %s, \"against\": %s, \"limit\": %s, \"state\": %s",
		quoted(goal_text[i]), quoted(goal_section[i]), quoted(goal_figure[i]),
		goal_base[i] == "-" ? "null" : quoted(goal_base[i]), quoted(goal_sense[i] " " goal_limit[i]),
		quoted(goal_state[i]))
	if (goal_state[i] == "not measured")
		return text ", \"reason\": " quoted(goal_reason[i]) "}"
	return text sprintf(", \"value\": %.6g, \"runs\": %d, \"least\": %.6g, \"most\": %.6g}", goal_value[i],
		count[goal_key[i]], quantile(goal_key[i], 0), quantile(goal_key[i], 1))
}

function item_json(list, i) {
	if (list == "goals")
		return goal_json(i)
	if (list == "figures")
		return figure_json(keys[i])
	if (list == "compared_with")
		return "{\"name\": " quoted(peer[i]) ", \"settings\": " quoted(peer_text[i]) "}"
	return "{\"section\": " quoted(skipped_section[i]) ", \"figure\": " quoted(skipped_figure[i]) \
		", \"reason\": " quoted(skipped_reason[i]) "}"
}

# A list of n items, one a line.
function print_list(name, n,    i) {
	printf ",\n  %s: [", quoted(name)
	for (i = 1; i <= n; i++)
		printf "%s\n    %s", (i > 1 ? "," : ""), item_json(name, i)
	printf "\n  ]"
}

function print_json(    i) {
	printf "{\n  \"machine\": {"
	for (i = 1; i <= machines; i++)
		printf "%s\n    %s: %s", (i > 1 ? "," : ""), quoted(machine[i]), quoted(machine_value[i])
	printf "\n  }"
	print_list("compared_with", peers)
	print_list("goals", goals)
	print_list("figures", key_count)
	print_list("not_measured", skipped)
	print "\n}"
}

function print_goals(    i, key) {
	print "\n## Goals\n\n| what | goal | measured | least to most | runs | |\n| --- | --- | --- | --- | --- | --- |"
	for (i = 1; i <= goals; i++) {
		key = goal_key[i]
		if (goal_state[i] == "not measured")
			printf "| %s | %s %s | | | | not measured: %s |\n", goal_text[i], goal_sense[i], goal_limit[i],
				goal_reason[i]
		else
			printf "| %s | %s %s | %s | %s to %s | %d | %s |\n", goal_text[i], goal_sense[i], goal_limit[i],
				shown(goal_value[i]), shown(quantile(key, 0)), shown(quantile(key, 1)), count[key],
				goal_state[i] == "met" ? "met" : "**missed**"
	}
}

function print_figures(    i, part, before, at, n, plot) {
	n = split(plots, plot, " ")
	for (i = 1; i <= key_count; i++) {
		split(keys[i], part, SUBSEP)
		if (part[1] != before) {
			printf "\n## %s\n", part[1]
			for (at = 1; at <= n; at++)
				if (index(plot[at], part[1] "-") == 1)
					printf "\n![%s](%s)\n", part[1], plot[at]
			print "\n| figure | unit | runs | median | p99 | least | most |\n" \
				"| --- | --- | --- | --- | --- | --- | --- |"
			before = part[1]
		}
		printf "| %s | %s | %d | %s | %s | %s | %s |\n", part[2], unit[keys[i]], count[keys[i]],
			shown(median(keys[i])), shown(quantile(keys[i], 0.99)), shown(quantile(keys[i], 0)),
			shown(quantile(keys[i], 1))
	}
}

function print_markdown(    i) {
	print "# locum: measured\n"
	for (i = 1; i <= machines; i++)
		printf "- %s: %s\n", machine[i], machine_value[i]
	print "\nThe two sides of a ratio ran in turns, A B, B A, …; each round gives one ratio, and the median counts.\n"
	for (i = 1; i <= peers; i++)
		printf "- %s: %s\n", peer[i], peer_text[i]
	print_goals()
	print_figures()
	if (skipped)
		print "\n## Not measured\n"
	for (i = 1; i <= skipped; i++)
		printf "- %s, %s: %s\n", skipped_section[i], skipped_figure[i], skipped_reason[i]
}

END {
	for (i = 1; i <= key_count; i++)
		sort_values(keys[i])
	judge()
	if (form == "json")
		print_json()
	else
		print_markdown()
	exit form == "markdown" && missed
}
