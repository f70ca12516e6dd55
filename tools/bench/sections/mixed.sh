# shellcheck shell=sh
# Mixed: jobs come at a steady rate and are done at once, for minutes. What each claim took is in the server's log (one
# in five is logged); the size is that of all of locum's tables and indexes but the history, which is meant to grow.
: "${top:?}" "${conninfo:?}" "${measurer:?}" "${home:?}" "${section=}" "${round=}" "${dispatcher=}"

# claims_between BEGAN ENDED: p99 of the claims that the log has between these seconds, in ms, and how many there were
claims_between() {
	tail -n "+$log_from" "$top/pg/server.log" | awk -v began="$1" -v ended="$2" '
		/\|LOG:  duration: [0-9.]* ms  execute job_claim/ && $1 >= began && $1 < ended {
			for (i = 1; $i != "duration:"; i++)
				;
			print $(i + 1)
		}' | sort -n > "$top/claims"
	awk '{ ms[NR] = $1 } END { at = int(0.99 * NR + 0.999); print NR ? ms[at] : 0, NR }' "$top/claims"
}

# One minute, its parts for the curves. Sets p99 and size.
watch_minute() {
	minute_began=$(date +%s.%N)
	for part in 1 2 3 4; do
		step "minute $minute of $minutes"
		pass "$(echo "$MIXED_MINUTE" | awk '{ print $1 / 4 }')"
		at=$(echo "$minute $part" | awk '{ print $1 - 1 + $2 / 4 }')
		sql -f "$home/sql/size.sql" > "$top/size"
		read -r size waiting ended < "$top/size"
		point 'tables and indexes' MB "$at" "$(echo "$size" | awk '{ print $1 / 1048576 }')"
		point 'jobs in line or running' jobs "$at" "$waiting"
	done
	set -- "$minute_began" "$(date +%s.%N)"
	claims_between "$1" "$2" > "$top/minute"
	read -r p99 claims < "$top/minute"
	point 'claim, p99' ms "$minute" "$p99"
	point 'jobs done' 'jobs/s' "$minute" "$(echo "$ended $ended_before $1 $2" | awk '{ print ($1 - $2) / ($4 - $3) }')"
	ended_before=$ended
}

measure_mixed() {
	keep all
	empty_tables
	minutes=$((MIXED_SECONDS / MIXED_MINUTE))
	log_from=$(($(wc -l < "$top/pg/server.log") + 1))
	# shellcheck disable=SC2034 # begin_config takes it
	extra=" options='-c log_min_duration_sample=0 -c log_statement_sample_rate=0.2'"
	start_dispatcher mixed 100
	"$measurer" -d "$conninfo" --batch "$((MIXED_RATE / 100))" --every 10 --seconds 100000 submit > /dev/null &
	source=$!
	daemons="$daemons $source"
	ended_before=0
	for minute in $(seq "$minutes"); do
		watch_minute
		if [ "$minute" -eq 2 ]; then
			second_p99=$p99
			second_size=$size
		fi
	done
	kill "$source"
	wait "$source" 2> /dev/null || :
	daemons=${daemons% *}
	round=1
	record claims_logged_in_the_last_minute claims "$claims"
	record claim_p99_second_minute ms "$second_p99"
	record claim_p99_last_minute ms "$p99"
	record size_second_minute bytes "$second_size"
	record size_last_minute bytes "$size"
	sql -c "call bench.until('not exists (select from locum.job)', 60)"
	record jobs_done 'jobs/s' "$(sql -v pid="$dispatcher" -f "$home/sql/rate_between.sql")"
	stop_dispatcher
}
