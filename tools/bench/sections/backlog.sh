# shellcheck shell=sh
# Backlog: jobs/s, by the times of completion, of a dispatcher that is watched for some seconds while so many jobs are in
# line.
: "${home:?}" "${section=}" "${round=}" "${dispatcher=}"

# run_backlog JOBS
run_backlog() {
	fill "$1" noop
	start_dispatcher "backlog.$1.$round" 1000
	rate=$(rate_of "$BACKLOG_SECONDS")
	record "backlog_$1" 'jobs/s' "$rate"
	point 'by jobs in line' 'jobs/s' "$1" "$rate"
	# There is no need to wait for what is left.
	kill -KILL "$dispatcher"
	wait "$dispatcher" 2> /dev/null || :
	daemons=${daemons% *}
	sql -c "call bench.until('not exists (select from pg_stat_activity where application_name like ''locum/%'')', 60)"
	empty_tables
}

measure_backlog() {
	keep all
	start_rounds "$RUNS" 100
	while more_rounds; do
		set --
		for backlog in $BACKLOGS; do
			set -- "$@" "run_backlog $backlog"
		done
		in_turns "$@"
	done
}
