# shellcheck shell=sh
# Claim + complete, no agent: the dispatcher's statements beside the least that could do it.
: "${home:?}" "${top:?}" "${conninfo:?}" "${measurer:?}" "${section=}" "${round=}"

# run_claim CONTESTANT BATCH
run_claim() {
	if [ "$1" = bare ]; then
		sql -v jobs="$JOBS" -f "$home/sql/fill_bare.sql"
	else
		fill "$JOBS" true
	fi
	before=$(sql -c 'select pg_current_wal_insert_lsn()')
	"$measurer" -d "$conninfo" --batch "$2" "$1" > "$top/race"
	read -r completed seconds < "$top/race"
	[ "$completed" -eq "$JOBS" ] || {
		say "$1 completed $completed of $JOBS jobs"
		return 1
	}
	record "$1_$2" 'jobs/s' "$(ratio "$completed" "$seconds")"
	record "$1_$2_wal" 'bytes/job' "$(sql -v before="$before" -v jobs="$JOBS" -f "$home/sql/wal.sql")"
}

measure_claim() {
	keep all
	for batch in 1000 100; do
		start_rounds "$RUNS" 50
		while more_rounds; do
			in_turns "run_claim bare $batch" "run_claim locum $batch"
		done
	done
}
