# shellcheck shell=sh
# Latency: from just before the call that submits a job to the first line of its handler. Settings are the defaults. Jobs
# come one by one, 10 to 30 ms after each other; under load 1,000 others a second come beside them, 100 at a time.
: "${top:?}" "${conninfo:?}" "${measurer:?}" "${home:?}" "${section=}" "${round=}" "${reason=}"

# run_latency idle|load
run_latency() {
	empty_tables
	start_default "latency.$1.$round" 100
	sql -c "call bench.until('exists (select from locum.agent where idle)', 60)"
	# What follows a start is over when the first jobs are.
	"$measurer" -d "$conninfo" --jobs 20 --batch 1 --every 10 --handler stamp submit > /dev/null
	sql -c "call bench.until('not exists (select from locum.job)', 60)" -c 'truncate locum.finished'
	load=
	if [ "$1" = load ]; then
		"$measurer" -d "$conninfo" --batch 100 --every 100 --seconds 600 --handler noop submit > /dev/null &
		load=$!
		daemons="$daemons $load"
	fi
	"$measurer" -d "$conninfo" --jobs "$LATENCY_JOBS" --batch 1 --every 10 --jitter 20 --handler stamp submit > /dev/null
	if [ -n "$load" ]; then
		kill "$load"
		wait "$load" 2> /dev/null || :
		daemons=${daemons% *}
	fi
	sql -c "call bench.until('not exists (select from locum.job)', 60)"
	sql -f "$home/sql/latency.sql" > "$top/latency"
	stop_dispatcher
	record_latency locum "$1" "$(cat "$top/latency")"
}

# record_latency WHO idle|load "P50 P99 MAX"
record_latency() {
	# shellcheck disable=SC2086 # three words
	set -- "$1" "$2" $3
	record "$1_$2_p50" µs "$3"
	record "$1_$2_p99" µs "$4"
	record "$1_$2_max" µs "$5"
}

# peer_latency NAME idle|load
peer_latency() {
	peer_ready "$1" || return 0
	load=
	[ "$2" = idle ] || load=load
	# shellcheck disable=SC2086 # a word or none
	if peer_call "$1" latency "$LATENCY_JOBS" $load; then
		record_latency "$1" "$2" "$(cut -f 2- "$top/peer" | tr '\t' ' ')"
	else
		not_measured "$section" "$1, $2" "$reason"
	fi
}

measure_latency() {
	keep all
	start_rounds "$RUNS" 50
	while more_rounds; do
		in_turns 'run_latency idle' 'peer_latency graphile idle' 'peer_latency pgboss idle'
	done
	start_rounds "$RUNS" 50
	while more_rounds; do
		in_turns 'run_latency load' 'peer_latency graphile load'
	done
}
