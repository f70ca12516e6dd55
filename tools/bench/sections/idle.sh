# shellcheck shell=sh
# Idle: what a dispatcher costs that has nothing to do; every setting is as it is by default.
: "${home:?}" "${top:?}" "${conninfo:?}" "${pg_bin:?}" "${measurer:?}" "${dispatcher=}" "${section=}" "${round=}" "${rounds=}"

# --- a ping --------------------------------------------------------------------------------------

# wal_between FROM TO: bytes of the records without their full-page images, and of these
wal_between() {
	"$pg_bin/pg_waldump" --path="$top/pg/data/pg_wal" --start="$1" --end="$2" --stats 2> /dev/null |
		awk '/^Total/ { gsub(/\[[^]]*\]/, ""); print $3, $4 }'
}

measure_ping() {
	sql -c checkpoint
	from=$(sql -c 'select pg_current_wal_insert_lsn()')
	"$measurer" -d "$conninfo" --pings "$PINGS" ping > /dev/null
	to=$(sql -c 'select pg_current_wal_insert_lsn()')
	wal_between "$from" "$to" > "$top/wal"
	read -r records images < "$top/wal"
	record ping_wal bytes "$(echo "$records $PINGS" | awk '{ print $1 / $2 }')"
	record ping_wal_images bytes "$(echo "$images $PINGS" | awk '{ print $1 / $2 }')"
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
	pass "$WINDOW"
	set_log none
	tail -n "+$((began + 1))" "$top/pg/server.log" | sed -n 's/.* locum\/.* execute \([a-z_]*\): .*/\1/p' |
		sort | uniq -c > "$top/statements"
	while read -r times name; do
		record "$name" statements/s "$(echo "$times $WINDOW" | awk '{ print $1 / $2 }')"
	done < "$top/statements"
	record statements statements/s "$(awk -v seconds="$WINDOW" '{ n += $1 } END { print n / seconds }' \
		"$top/statements")"
}

# CPU, WAL and connections.
measure_processes() {
	agent=$(agent_of "$dispatcher")
	before=$(cpu_of "$dispatcher" "$agent")
	server_before=$(cpu_of_server)
	wal_before=$(sql -c 'select pg_current_wal_insert_lsn()')
	began=$(now)
	pass "$WINDOW"
	ended=$(now)
	record locumd_and_agent '% of a core' \
		"$(percent "$before" "$(cpu_of "$dispatcher" "$agent")" "$began" "$ended")"
	record server '% of a core' "$(percent "$server_before" "$(cpu_of_server)" "$began" "$ended")"
	record wal bytes/s "$(sql -v before="$wal_before" -v jobs="$WINDOW" \
		-f "$home/sql/wal.sql")"
	record connections connections \
		"$(sql -c "select count(*) from pg_stat_activity where application_name like 'locum/%'")"
}

measure_idle() {
	keep all
	empty_tables
	start_rounds "$IDLE_ROUNDS" 20
	while more_rounds; do
		step "$PINGS pings, round $round of $rounds"
		measure_ping
	done
	start_default idle 4
	sql -c "call bench.until('exists (select from locum.agent where idle)', 60)"
	pass 5 # what follows a start is over
	start_rounds "$IDLE_ROUNDS" 80
	while more_rounds; do
		step "a dispatcher for 2 × $WINDOW s, round $round of $rounds"
		measure_processes
		measure_statements
	done
	stop_dispatcher
}
