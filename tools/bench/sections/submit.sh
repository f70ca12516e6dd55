# shellcheck shell=sh
# Submission. Single ones by pgbench, which has as many clients as asked for: locum.submit beside the least that is
# durable, an INSERT of one row into a bare table with two indexes. Bulk by liblocum and by the CLI, beside the
# peers', into a table that holds as many jobs already and is analysed.
: "${home:?}" "${top:?}" "${conninfo:?}" "${out:?}" "${round=}" "${measurer:?}" "${bin:?}" "${pg_bin:?}"

# single SIDE CLIENTS
single() {
	empty_tables
	"$pg_bin/pgbench" -n -M prepared -c "$2" -j "$(($2 < 4 ? $2 : 4))" -T "$SUBMIT_SECONDS" \
		-f "$home/sql/single_$1.sql" "$conninfo" > "$top/pgbench" 2>&1 || {
		cat "$top/pgbench" >&2
		return 1
	}
	rate=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$top/pgbench")
	record "single_$1_$2" 'jobs/s' "$rate"
	[ "$1" = locum ] && side=locum.submit || side='bare INSERT'
	point "single: $side" 'jobs/s' "$2" "$rate"
}

# The batch that is fastest here; these runs do not count.
choose_batch() {
	best=0
	for size in 1000 2500 5000 10000; do
		step "which batch: $size"
		fill "$SUBMIT_JOBS" noop
		rate=$(bulk "$SUBMIT_JOBS" "$size")
		if [ "$(echo "$rate $best" | awk '{ print ($1 > $2) }')" -eq 1 ]; then
			best=$rate
			batch=$size
		fi
	done
	echo "locum	submit_many in batches of $batch, by liblocum; the stream in batches of 10000" >> "$out/peers.tsv"
}

run_many() {
	fill "$SUBMIT_JOBS" noop
	record submit_many 'jobs/s' "$(bulk "$SUBMIT_JOBS" "$batch")"
}

run_stream() {
	fill "$SUBMIT_JOBS" noop
	began=$(date +%s.%N)
	"$bin/locum" submit -q --stream "$top/stream" --batch 10000 -d "$conninfo" > /dev/null 2> "$top/stream.log"
	ended=$(date +%s.%N)
	[ "$(sql -c 'select count(*) from locum.job')" -eq "$((2 * SUBMIT_JOBS))" ] || {
		cat "$top/stream.log" >&2
		return 1
	}
	record cli_stream 'jobs/s' "$(echo "$SUBMIT_JOBS $began $ended" | awk '{ print $1 / ($3 - $2) }')"
}

measure_submit() {
	keep all
	seq "$SUBMIT_JOBS" | awk '{ printf "{\"handler\": \"noop\", \"payload\": {\"customer\": %d, \"order\": " \
		"\"%032d\", \"amount\": %d, \"currency\": \"EUR\", \"note\": \"plain\"}}\n", 100000 + $1, $1, $1 % 1000 }' \
		> "$top/stream"
	start_rounds "$RUNS" 60
	while more_rounds; do
		for clients in $SUBMIT_CLIENTS; do
			in_turns "single bare $clients" "single locum $clients"
		done
	done
	choose_batch
	start_rounds "$RUNS" 40
	while more_rounds; do
		set -- run_many "peer graphile jobs/s submit $SUBMIT_JOBS" run_stream
		# No goal is held against these two.
		[ "$round" -gt 1 ] || set -- "$@" "peer pgboss jobs/s submit $SUBMIT_JOBS" "peer pgq jobs/s submit $SUBMIT_JOBS"
		in_turns "$@"
	done
	rm -f "$top/stream"
}
