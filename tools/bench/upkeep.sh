# shellcheck shell=sh
# What dispatchers cost that have nothing to do: sourced by run.sh, which sets these.
: "${build:?}" "${top:=}" "${conninfo:=}" "${pg_bin:=}" "${daemons:=}" "${dispatcher:=}"
: "${rounds:?}" "${seconds:?}" "${pings:?}" "${fleets:?}"

# --- what the kernel counts ----------------------------------------------------------------------

# cpu_of PID…: seconds of CPU that all threads of these processes have had
cpu_of() {
	for pid; do
		cat "/proc/$pid/task/"*/schedstat 2> /dev/null || :
	done | awk '{ ns += $1 } END { printf "%.6f\n", ns / 1e9 }'
}

# The whole server's, with the processes that have ended.
cpu_of_server() {
	postmaster=$(head -n 1 "$top/pg/data/postmaster.pid")
	# shellcheck disable=SC2046
	live=$(cpu_of "$postmaster" $(cat "/proc/$postmaster/task/$postmaster/children"))
	ended=$(awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / tick }' \
		"/proc/$postmaster/stat")
	echo "$live $ended" | awk '{ print $1 + $2 }'
}

# now: seconds, as a clock that only goes on
now() {
	cut -d ' ' -f 1 /proc/uptime
}

# pass SECONDS: the time that is measured
pass() {
	timeout "$1" tail -f /dev/null || :
}

# percent BEFORE AFTER BEGAN ENDED: of a core
percent() {
	echo "$@" | awk '{ printf "%.4f\n", 100 * ($2 - $1) / ($4 - $3) }'
}

# --- a ping --------------------------------------------------------------------------------------

# wal_between FROM TO: bytes of the records without their full-page images, and of these
wal_between() {
	"$pg_bin/pg_waldump" --path="$top/pg/data/pg_wal" --start="$1" --end="$2" --stats 2> /dev/null |
		awk '/^Total/ { gsub(/\[[^]]*\]/, ""); print $3, $4 }'
}

measure_ping() {
	sql -c checkpoint
	from=$(sql -c 'select pg_current_wal_insert_lsn()')
	"$build/bin/locum-bench" -d "$conninfo" --pings "$pings" ping > /dev/null
	to=$(sql -c 'select pg_current_wal_insert_lsn()')
	wal_between "$from" "$to" > "$top/wal"
	read -r records images < "$top/wal"
	record ping wal_bytes "$1" "$(echo "$records $pings" | awk '{ print $1 / $2 }')"
	record ping wal_image_bytes "$1" "$(echo "$images $pings" | awk '{ print $1 / $2 }')"
	sql -c 'truncate locum.dispatcher, locum.dispatcher_ping'
}

# --- one dispatcher ------------------------------------------------------------------------------

# set_log KIND: what the server logs of statements
set_log() {
	sql -c "alter system set log_statement = '$1'" -c 'select pg_reload_conf()' > /dev/null
}

# How often each statement was executed, by its name in db/sql.
measure_statements() {
	set_log all
	began=$(wc -l < "$top/pg/server.log")
	pass "$seconds"
	set_log none
	tail -n "+$((began + 1))" "$top/pg/server.log" | sed -n 's/.* locum\/.* execute \([a-z_]*\): .*/\1/p' |
		sort | uniq -c > "$top/statements"
	while read -r times name; do
		record statements "$name" "$1" "$(echo "$times $seconds" | awk '{ print $1 / $2 }')"
	done < "$top/statements"
	record idle statements_per_s "$1" "$(awk -v seconds="$seconds" '{ n += $1 } END { print n / seconds }' \
		"$top/statements")"
}

measure_processes() {
	agent=$(agent_of "$dispatcher")
	before=$(cpu_of "$dispatcher" "$agent")
	server_before=$(cpu_of_server)
	wal_before=$(sql -c 'select pg_current_wal_insert_lsn()')
	began=$(now)
	pass "$seconds"
	ended=$(now)
	record idle locumd_and_agent_percent "$1" \
		"$(percent "$before" "$(cpu_of "$dispatcher" "$agent")" "$began" "$ended")"
	record idle server_percent "$1" "$(percent "$server_before" "$(cpu_of_server)" "$began" "$ended")"
	record idle wal_bytes_per_s "$1" "$(sql -v before="$wal_before" -v jobs="$seconds" \
		-f tools/bench/sql/wal.sql)"
	record idle connections "$1" \
		"$(sql -c "select count(*) from pg_stat_activity where application_name like 'locum/%'")"
}

measure_idle() {
	for round in $(seq "$rounds"); do
		say "idle: $pings pings, round $round of $rounds"
		measure_ping "$round"
	done
	start_default idle
	sql -c "call bench.until('exists (select from locum.agent where idle)', 30)"
	pass 5 # what follows a start is over
	for round in $(seq "$rounds"); do
		say "idle: a dispatcher for 2 × $seconds s, round $round of $rounds"
		measure_processes "$round"
		measure_statements "$round"
	done
	stop_dispatcher
}

# --- a fleet -------------------------------------------------------------------------------------

# play_fleet DISPATCHERS [--bare]: sets percent, and leaves what was done how often
play_fleet() {
	sql -c 'truncate locum.dispatcher, locum.dispatcher_ping, locum.agent' \
		-c "select locum.finished_prepare(d, d + 7) from (select (now() at time zone 'UTC')::date) as t (d)" \
		> /dev/null
	rm -f "$top/fleet"
	mkfifo "$top/fleet"
	"$build/bin/locum-bench" -d "$conninfo" --dispatchers "$1" --seconds "$seconds" ${2:+"$2"} fleet > "$top/fleet" &
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
		exit 1
	}
	percent=$(percent "$before" "$after" "$began" "$ended")
	cat <&3 > "$top/errands"
	exec 3<&-
	wait "$fleet"
}

# run_fleet DISPATCHERS ROUND
run_fleet() {
	play_fleet "$1"
	record "fleet_$1" server_percent "$2" "$percent"
	while read -r name times; do
		record "fleet_$1" "${name}_per_s" "$2" "$(echo "$times $began $ended" | awk '{ print $1 / ($3 - $2) }')"
	done < "$top/errands"
	play_fleet "$1" --bare
	record "fleet_$1" bare_percent "$2" "$percent"
}

measure_fleet() {
	for round in $(seq "$rounds"); do
		for dispatchers in $fleets; do
			say "a fleet of $dispatchers for 2 × $seconds s, round $round of $rounds"
			run_fleet "$dispatchers" "$round"
		done
	done
	sql -c 'truncate locum.dispatcher, locum.dispatcher_ping, locum.agent'
}
