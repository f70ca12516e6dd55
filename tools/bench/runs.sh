# shellcheck shell=sh
# Runs that several sections have: sourced by run.sh, which sets these.
: "${home:?}" "${section=}" "${round=}" "${dispatcher=}" "${conninfo=}" "${measurer:?}" "${top=}"

# ratio A B: A / B
ratio() {
	echo "$1 $2" | awk '{ print $1 / $2 }'
}

# drain FIGURE HANDLER SIZE JOBS: one dispatcher empties the table; jobs/s from the first claim to the last completion
drain() {
	fill "$4" "$2"
	start_dispatcher "$section.$1.$round" "$3"
	took=$(sql -c 'call bench.drained(600, null)')
	left=$(sql -c 'select count(*) from locum.job')
	[ "$left" -eq 0 ] || {
		say "$1: $left of $4 jobs are left after ten minutes"
		return 1
	}
	record "$1" 'jobs/s' "$(ratio "$4" "$took")"
}

# drain_and_stop …: as drain
drain_and_stop() {
	drain "$@"
	stop_dispatcher
}

# rate_of WINDOW: jobs/s of the dispatcher from its first completion to its last, for those that are watched for so many
# seconds at most
rate_of() {
	sql -c "call bench.drained($1, null)" > /dev/null
	sql -v pid="$dispatcher" -f "$home/sql/rate_between.sql"
}

# bulk JOBS BATCH: jobs/s
bulk() {
	"$measurer" -d "$conninfo" --jobs "$1" --batch "$2" submit > "$top/bulk"
	awk '{ print $1 / $2 }' "$top/bulk"
}
