#!/bin/sh
# tools/bench/run.sh [SECTION…]: measures locum on a durable cluster of its own, all sections by default.
#
# Sections: claim end plugin service reclaim memory idle fleet
#   PAIRS=N  runs of each side of a ratio (7)     JOBS=N   jobs in a table that is emptied (100000)
#   RUNS=N   kills of a dispatcher (20)           TRUES=N  runs of /bin/true (3000)
#   ROUNDS=N of idle and fleet (3)                SECONDS_EACH=N  of their windows (60)
#   PINGS=N  whose WAL is read (10000)            FLEETS=…  their sizes ("10 100 1000")
# Progress on stderr; the report is build/bench/report.md and report.json. Exit 1 when a goal is missed.
set -eu
cd "$(dirname "$0")/../.."

pairs=${PAIRS:-7}
jobs=${JOBS:-100000}
runs=${RUNS:-20}
trues=${TRUES:-3000}
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-60}
pings=${PINGS:-10000}
fleets=${FLEETS:-10 100 1000}
build=$(realpath "${B:-build}")
out=$build/bench
top=
daemons=

. tools/bench/dispatchers.sh
. tools/bench/upkeep.sh

say() {
	echo "bench: $*" >&2
}

# sql COMMAND…: psql with bare values on stdout
sql() {
	psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -d "$conninfo" "$@"
}

# record SECTION NAME ROUND VALUE
record() {
	printf '%s\t%s\t%s\t%s\n' "$@" >> "$out/results.tsv"
}

clean_up() {
	trap '' HUP INT TERM
	for pid in $daemons; do
		kill -KILL "$pid" 2> /dev/null || :
	done
	[ -z "$top" ] || tests/support/cluster.sh stop "$top/pg"
	[ -z "$top" ] || rm -rf "$top"
}

# The tests' cluster does not sync; this one does.
start_cluster() {
	top=$(mktemp -d "${TMPDIR:-/tmp}/locum-bench.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' HUP INT TERM
	chmod 755 "$top"
	conninfo="host=$top/pg dbname=postgres user=postgres"
	tests/support/cluster.sh start "$top/pg"
	while read -r setting value; do
		sql -c "alter system set $setting = '$value'"
	done < tools/bench/settings
	owner=$(stat -c %U "$top/pg/data")
	pg_bin=$(pg_bin)
	(cd "$top/pg" && as "$owner" "$pg_bin/pg_ctl" restart --pgdata="$top/pg/data" --wait \
		--log="$top/pg/server.log" > /dev/null)
	"$build/bin/locum" init -d "$conninfo" 2> /dev/null
	sql -f tools/bench/sql/until.sql -f tools/bench/sql/schema_bare.sql
}

pg_bin() {
	eval "$(tests/support/cluster.sh environment "$top/pg")"
	echo "$LOCUM_TEST_PG_BIN"
}

as() {
	user=$1
	shift
	if [ "$(id -un)" = "$user" ]; then
		"$@"
	else
		setpriv --reuid="$user" --regid="$user" --init-groups --reset-env "$@"
	fi
}

# --- claim + complete, no agent ------------------------------------------------------------------

# empty CONTESTANT BATCH ROUND
empty() {
	sql -v jobs="$jobs" -f "tools/bench/sql/fill_$1.sql" > "$top/fill"
	before=$(sql -c 'select pg_current_wal_insert_lsn()')
	"$build/bin/locum-bench" -d "$conninfo" --batch "$2" "$1" > "$top/race"
	read -r completed seconds < "$top/race"
	[ "$completed" -eq "$jobs" ] || {
		say "$1 completed $completed of $jobs jobs"
		exit 1
	}
	record "claim_complete_$2" "$1" "$3" "$(echo "$completed $seconds" | awk '{ print $1 / $2 }')"
	record "wal_$2" "$1" "$3" "$(sql -v before="$before" -v jobs="$jobs" -f tools/bench/sql/wal.sql)"
}

measure_claim() {
	for batch in 1000 100; do
		for round in $(seq "$pairs"); do
			say "claim + complete, batches of $batch, pair $round of $pairs"
			if [ $((round % 2)) -eq 1 ]; then
				empty bare "$batch" "$round"
				empty locum "$batch" "$round"
			else
				empty locum "$batch" "$round"
				empty bare "$batch" "$round"
			fi
		done
	done
	sql -c 'truncate locum.job, locum.finished, locum.receipt, locum.dispatcher, locum.dispatcher_ping'
}

# --- end to end: /bin/true against xargs ---------------------------------------------------------

run_xargs() {
	began=$(date +%s.%N)
	seq "$trues" | xargs -P 4 -n 1 /bin/true
	ended=$(date +%s.%N)
	record end_to_end xargs "$1" "$(echo "$trues $began $ended" | awk '{ print $1 / ($3 - $2) }')"
}

run_dispatcher() {
	sql -c 'truncate locum.finished'
	submit "$trues" true
	start_dispatcher "end$1" 4
	sql -c "call bench.until('not exists (select from locum.job)', 300)"
	record end_to_end locum "$1" "$(sql -v pid="$dispatcher" -f tools/bench/sql/rate.sql)"
	stop_dispatcher
}

measure_end() {
	for round in $(seq "$pairs"); do
		say "end to end with /bin/true, pair $round of $pairs"
		run_xargs "$round"
		run_dispatcher "$round"
	done
}

# --- end to end: a plugin that does nothing ------------------------------------------------------

run_plugin() {
	sql -v jobs="$jobs" -v handler=noop -f tools/bench/sql/fill_handler.sql > /dev/null
	start_dispatcher "plugin$1" 8
	sql -c "call bench.until('not exists (select from locum.job)', 300)"
	record plugin locum "$1" "$(sql -v pid="$dispatcher" -f tools/bench/sql/rate_between.sql)"
	agent=$(agent_of "$dispatcher")
	host=$(host_of "$agent")
	record plugin agent_and_host_mb "$1" "$(printf '%s %s' "$(peak "$agent")" "$(peak "$host")" |
		awk '{ print $1 + $2 }')"
	stop_dispatcher
}

# The other side of the ratio: the bare loop, as in measure_claim.
measure_plugin() {
	for round in $(seq "$pairs"); do
		say "end to end with a plugin that does nothing, pair $round of $pairs"
		sql -v jobs="$jobs" -f tools/bench/sql/fill_bare.sql
		"$build/bin/locum-bench" -d "$conninfo" --batch 1000 bare > "$top/race"
		record plugin bare "$round" "$(awk '{ print $1 / $2 }' "$top/race")"
		run_plugin "$round"
	done
	sql -c 'truncate locum.job, locum.finished, locum.receipt, locum.dispatcher, locum.dispatcher_ping'
}

# --- end to end: services ------------------------------------------------------------------------

# run_service LANGUAGE ROUND: the samples, which answer a job with its payload; one process.
run_service() {
	sql -v jobs="$jobs" -v handler="service_$1" -f tools/bench/sql/fill_handler.sql > /dev/null
	start_dispatcher "service_$1_$2" 1000
	sql -c "call bench.until('not exists (select from locum.job)', 300)"
	record service "$1" "$2" "$(sql -v pid="$dispatcher" -f tools/bench/sql/rate_between.sql)"
	stop_dispatcher
}

measure_service() {
	[ -x "$build/handlers/service" ] || {
		say "$build/handlers/service is missing: run 'make bench' or 'make tests'"
		exit 69
	}
	for round in $(seq "$pairs"); do
		say "end to end with services, round $round of $pairs"
		for language in c python node; do
			run_service "$language" "$round"
		done
	done
	sql -c 'truncate locum.job, locum.finished, locum.receipt, locum.dispatcher, locum.dispatcher_ping'
}

# --- reclaim after kill -9 -----------------------------------------------------------------------

measure_reclaim() {
	start_dispatcher survivor 4
	for round in $(seq "$runs"); do
		say "reclaim after kill -9, run $round of $runs"
		sql -c 'truncate locum.finished'
		start_dispatcher "victim$round" 4
		sql -c "call bench.until('exists (select from locum.agent join locum.dispatcher using (incarnation)
			where pid = $dispatcher)', 30)"
		submit 40 nap
		victim=$(sql -c "select incarnation from locum.dispatcher where pid = $dispatcher
			and state = 'running'")
		sql -c "call bench.until('(select count(*) > 3 from locum.job where incarnation = ''$victim'')', 30)"
		sql -v pid="$dispatcher" -v victim="$victim" -f tools/bench/sql/kill.sql > "$top/times"
		read -r killed pinged first last < "$top/times"
		record reclaim killed_to_reclaimed_ms "$round" "$killed"
		record reclaim last_ping_to_reclaimed_ms "$round" "$pinged"
		record reclaim killed_to_first_restart_ms "$round" "$first"
		record reclaim killed_to_last_restart_ms "$round" "$last"
	done
	stop_all
}

# --- memory --------------------------------------------------------------------------------------

# peak PID: the most memory that it ever held, in MB
peak() {
	awk '/^VmHWM:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

measure_memory() {
	say 'memory: 100 handlers at once'
	start_dispatcher memory 100
	submit 100 hold
	sql -c "call bench.until('(select count(*) = 100 from locum.job where state = ''active'')', 30)"
	agent=$(agent_of "$dispatcher")
	record memory locumd_100_mb 1 "$(peak "$dispatcher")"
	record memory agent_100_mb 1 "$(peak "$agent")"
	sql -c "call bench.until('not exists (select from locum.job)', 60)"
	say 'memory: a handler that writes 1 GB'
	submit 1 flood
	sql -c "call bench.until('not exists (select from locum.job)', 120)"
	record memory agent_flood_mb 1 "$(peak "$agent")"
	stop_dispatcher
}

# -------------------------------------------------------------------------------------------------

mkdir -p "$out"
: > "$out/results.tsv"
start_cluster
[ $# -gt 0 ] || set -- claim end plugin service reclaim memory idle fleet
for section; do
	"measure_$section"
done
say "$(grep -c . "$out/results.tsv") values measured"
tools/bench/report.sh "$out" "$conninfo"
