# shellcheck shell=sh
# Fleet: what many dispatchers cost the server that have nothing to do, at the default intervals.
: "${top:?}" "${conninfo:?}" "${measurer:?}" "${section=}" "${round=}" "${rounds=}"

# play_fleet DISPATCHERS [--bare]: sets percent, and leaves what was done how often
play_fleet() {
	sql -c 'truncate locum.dispatcher, locum.dispatcher_ping, locum.agent' \
		-c "select locum.finished_prepare(d, d + 7) from (select (now() at time zone 'UTC')::date) as t (d)" \
		> /dev/null
	rm -f "$top/fleet"
	mkfifo "$top/fleet"
	"$measurer" -d "$conninfo" --dispatchers "$1" --seconds "$WINDOW" ${2:+"$2"} fleet > "$top/fleet" &
	fleet=$!
	exec 3< "$top/fleet"
	read -r running <&3
	before=$(cpu_of_server)
	began=$(now)
	read -r over <&3
	after=$(cpu_of_server)
	ended=$(now)
	[ "$running $over" = 'running over' ] || {
		say "the fleet of $1 failed"
		return 1
	}
	percent=$(percent "$before" "$after" "$began" "$ended")
	cat <&3 > "$top/errands"
	exec 3<&-
	wait "$fleet"
}

# run_fleet DISPATCHERS
run_fleet() {
	step "$1 dispatchers, round $round of $rounds"
	play_fleet "$1"
	record "server_$1" '% of a core' "$percent"
	point 'PostgreSQL' '% of a core' "$1" "$percent"
	while read -r name times; do
		record "${name}_$1" 'calls/s' "$(echo "$times $began $ended" | awk '{ print $1 / ($3 - $2) }')"
	done < "$top/errands"
	[ -z "$full" ] || {
		play_fleet "$1" --bare
		record "server_bare_$1" '% of a core' "$percent"
	}
}

measure_fleet() {
	keep all
	empty_tables
	start_rounds "$IDLE_ROUNDS" 100
	while more_rounds; do
		for dispatchers in $FLEETS; do
			run_fleet "$dispatchers"
		done
	done
}
