#!/bin/sh
# claim_explain.sh CONNINFO [JOBS]: makes a scratch database on a server, and prints what the server
# says about db/sql/job_claim.sql with JOBS (1,000,000) ready jobs: as they are, after half of them were
# claimed and completed under a pinned snapshot, and behind as many jobs of somebody else's handler.
# doc/claim.md reads the answers. The scratch database is dropped at the end.
set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C

if [ $# -lt 1 ]; then
	sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
	exit 64
fi
server=$1
jobs=${2:-1000000}
database=locum_explain_$$
scratch="$server dbname=$database"
work=$(mktemp -d)
pin=

clean_up() {
	exec 3>&- || :
	[ -z "$pin" ] || wait "$pin" || :
	psql -Xq -d "$server" -c "drop database if exists $database" || :
	rm -rf "$work"
}

sql() {
	psql -Xq -v ON_ERROR_STOP=1 "$scratch" "$@"
}

# prepared NAME: the statement as psql prepares it.
prepared() {
	printf 'prepare %s as\n' "$1"
	tools/house/statement.sh "$1"
	printf ';\n'
}

# stored NAME: the statement's text as a row for the procedure below.
stored() {
	# shellcheck disable=SC2016 # the dollars quote in SQL
	printf 'insert into statement values ('\''%s'\'', $text$' "$1"
	tools/house/statement.sh "$1"
	# shellcheck disable=SC2016
	printf '$text$);\n'
}

# claim HANDLER CURSOR TITLE [PINNED]: the answer to a claim of 1,000, after one that warms up.
claim() {
	printf '\n=== %s\n' "$3"
	{
		[ "${4:-pinned}" != pinned ] || tools/house/statement.sh session_pin | sed '$s/$/ \\g \/dev\/null/'
		prepared job_claim
		for options in 'analyze, timing off' 'analyze, buffers, wal, costs off'; do
			[ "$options" = 'analyze, timing off' ] && echo '\o /dev/null' || echo '\o'
			cat <<-SQL
				begin;
				explain ($options) execute job_claim(
					'00000000-0000-4000-8000-000000000001', gen_random_uuid(),
					'{1,1,1,1}', '{4,4,5,5}', '{0,1,0,1}', '{0,0,0,$2}', '{$1}', 1000, true);
				rollback;
			SQL
		done
	} > "$work/claim.sql"
	sql -At -f "$work/claim.sql"
}

# A session whose snapshot is as old as the moment of this call; it ends when descriptor 3 is closed.
pin_snapshot() {
	mkfifo "$work/pin" "$work/pinned"
	psql -XqAt "$scratch" < "$work/pin" > "$work/pinned" &
	pin=$!
	exec 3> "$work/pin"
	echo "begin isolation level repeatable read; select 'pinned' from pg_class limit 1;" >&3
	read -r _ < "$work/pinned"
}

trap clean_up EXIT
trap 'exit 1' HUP INT TERM
psql -Xq -d "$server" -c "create database $database"
tools/house/schema.sh "$work" > "$work/schema.sql"
sql -1 -f "$work/schema.sql" > "$work/log"
sql -f tools/bench/sql/explain_scene.sql
{ stored job_claim; stored job_complete; } | sql
psql -XAt "$scratch" -c 'select version()'

sql -c "call fill_jobs($jobs, 'h')" -c 'vacuum analyze locum.job'
claim h 0 "$jobs ready jobs"
claim h 0 "$jobs ready jobs, plans not pinned" free

pin_snapshot
sql -c "call churn($((jobs / 2)))"
claim h 0 "$((jobs / 2)) of them claimed and completed under a pinned snapshot, no cursor"
claim h "$((jobs / 2))" 'the same with a cursor'

sql -c 'truncate locum.job restart identity' -c "call fill_jobs($jobs, 'other')" \
	-c "call fill_jobs(10000, 'h')" -c 'vacuum analyze locum.job'
claim h 0 "behind $jobs jobs of another handler, no cursor"
claim h "$jobs" 'the same with a cursor'
