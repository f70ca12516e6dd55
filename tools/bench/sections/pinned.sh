# shellcheck shell=sh
# Pinned: jobs/s while another connection holds a snapshot, so that no dead row can be removed; beside it, the same without
# and with 100,000 jobs.
: "${home:?}" "${top:?}" "${conninfo:?}" "${section=}" "${round=}" "${dispatcher=}"

# run_drain FIGURE JOBS
run_drain() {
	fill "$2" noop
	start_dispatcher "pinned.$1.$round" 1000
	record "$1" 'jobs/s' "$(rate_of 600)"
	[ "$(sql -c 'select count(*) from locum.job')" -eq 0 ]
	stop_dispatcher
}

run_unpinned() {
	run_drain unpinned "$((JOBS < 100000 ? JOBS : 100000))"
}

run_pinned() {
	empty_tables
	PGAPPNAME=bench/pin psql -XAtq -d "$conninfo" -c 'begin isolation level repeatable read' \
		-c 'select count(*) from pg_class' -c 'select pg_sleep(86400)' > /dev/null 2>&1 &
	pin=$!
	sql -c "call bench.until('exists (select from pg_stat_activity where application_name = ''bench/pin''
		and query like ''%pg_sleep%'' and backend_xmin is not null)', 60)"
	run_drain pinned "$PINNED_JOBS"
	sql -v pid="$dispatcher" -f "$home/sql/deciles.sql" > "$top/deciles"
	while read -r decile rate; do
		point 'pinned, by tenths of the jobs' 'jobs/s' "$decile" "$rate"
	done < "$top/deciles"
	sql -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bench/pin'" > /dev/null
	wait "$pin" 2> /dev/null || :
}

measure_pinned() {
	keep all
	start_rounds "$RUNS" 100
	while more_rounds; do
		in_turns run_unpinned run_pinned
	done
}
