# shellcheck shell=sh
# Drain: a full table is emptied by one dispatcher. History is kept unless the figure says "none".
: "${section=}" "${round=}" "${dispatcher=}" "${service_c:?}"

run_plugin() {
	keep "$1"
	drain "plugin_$1" noop 1000 "$JOBS"
	agent=$(agent_of "$dispatcher")
	record agent_and_host_mb MB "$(printf '%s %s' "$(peak "$agent")" "$(peak "$(host_of "$agent")")" |
		awk '{ print $1 + $2 }')"
	stop_dispatcher
	keep all
}

run_service() {
	drain_and_stop "service_$1" "service_$1" 1000 "$JOBS"
}

run_sql() {
	drain_and_stop sql sql 8 "$SQL_JOBS"
}

run_command() {
	drain_and_stop command true 4 "$TRUES"
}

run_xargs() {
	began=$(date +%s.%N)
	seq "$TRUES" | xargs -P 4 -n 1 /bin/true
	ended=$(date +%s.%N)
	record xargs 'jobs/s' "$(echo "$TRUES $began $ended" | awk '{ print $1 / ($3 - $2) }')"
}

measure_drain() {
	keep all
	[ -x "$service_c" ] || {
		say "$service_c is not there: run 'make bench'"
		return 1
	}
	start_rounds "$RUNS" 75
	while more_rounds; do
		set -- "peer raw jobs/s drain $JOBS" 'run_plugin all' "peer graphile jobs/s drain $JOBS" \
			'run_plugin none' 'run_service c' 'run_service python' 'run_service node'
		# No goal is held against these two.
		[ $((round % 2)) -eq 0 ] || set -- "$@" "peer pgboss jobs/s drain $JOBS" "peer pgq jobs/s drain $JOBS"
		in_turns "$@"
	done
	start_rounds "$RUNS" 25
	while more_rounds; do
		in_turns run_command run_xargs run_sql
	done
}
