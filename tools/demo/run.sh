#!/bin/sh
# run.sh: a private cluster, three dispatchers with short intervals, and real work: size, gzip and
# SHA-256 of the first files by name under /usr/include and /usr/share. In the middle one dispatcher
# is killed and another is stopped past its death interval and woken. Then everything is compared.
#
#   B=build        where the programs were built
#   DEMO_FILES=N   how many files (default 5000; fewer if the machine has fewer)
#
# Exit 1 when anything that locum promises did not hold. Nothing stays behind.
set -eu
export LC_ALL=C
exec < /dev/null
cd "$(dirname "$0")/../.."

# What a user has set for other servers and dispatchers is not meant for these.
for name in $(env | sed -n 's/^\(PG[A-Z]*\|LOCUM_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = LOCUM_PG_BIN ] || unset "$name"
done

[ -x "${B:-build}/bin/locumd" ] || {
	echo "run: there is no ${B:-build}/bin/locumd; run make first" >&2
	exit 1
}
bin=$(cd "${B:-build}/bin" && pwd)
files=${DEMO_FILES:-5000}
folders='/usr/include /usr/share'
names='ann bob cid'

work=
watcher=
drawer=
pids=

# --- beginning and end ---------------------------------------------------------------------------

say() {
	echo "run: $*"
}

fail() {
	echo "run: $*" >&2
	exit 1
}

# Everything that was started is ended by its id. An agent goes when its dispatcher has gone, and holds
# the lock of the state file until its handlers have.
clean_up() {
	status=$?
	trap '' HUP INT TERM
	trap - EXIT
	for pid in $watcher $drawer; do
		kill "$pid" 2> /dev/null || :
	done
	for pid in $pids; do
		kill -TERM "$pid" 2> /dev/null || :
		kill -CONT "$pid" 2> /dev/null || :
	done
	if [ -n "$work" ]; then
		for name in $names; do
			[ ! -e "$work/$name/dispatcher" ] || flock -w 10 "$work/$name/dispatcher" true || :
		done
	fi
	for pid in $pids; do
		kill -KILL "$pid" 2> /dev/null || :
	done
	[ -z "$work" ] || tests/support/cluster.sh stop "$work/pg"
	[ -z "$work" ] || rm -rf "$work"
	exit "$status"
}

# As root the handlers run as nobody, who must reach the folder.
make_folder() {
	work=$(mktemp -d /tmp/locum-run.XXXXXX)
	chmod 755 "$work"
	mkdir "$work/notes"
	cp examples/handlers/digest.sh tools/demo/handler.sh "$work"
	chmod 755 "$work/digest.sh" "$work/handler.sh"
	[ "$(id -u)" -ne 0 ] || chown nobody "$work/notes"
}

query() {
	"$LOCUM_TEST_PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -d "$conninfo" "$@"
}

start_database() {
	tests/support/cluster.sh start "$work/pg"
	eval "$(LOCUM_TEST_BIN=$bin tests/support/cluster.sh environment "$work/pg")"
	conninfo=$LOCUM_TEST_CONNINFO
	"$bin/locum" init -d "$conninfo" 2> "$work/init" || fail "$(cat "$work/init")"
	# A cluster for tests does not wait for the disk; this one does.
	query -c 'alter system set fsync = on' -c 'alter system set full_page_writes = on' \
		-c 'select pg_reload_conf()' > /dev/null
	query -f tools/demo/demo.sql
}

# --- the fleet -----------------------------------------------------------------------------------

write_config() {
	slots=$(nproc)
	[ "$slots" -le 4 ] || slots=4
	user=
	[ "$(id -u)" -ne 0 ] || user='user = "nobody"'
	cat > "$work/locumd.conf" <<CONF
poll_interval = "200ms"
scan_interval = "200ms"
ping_interval = "300ms"
ping_death_interval = "2s"
kill_grace = "300ms"
fence_margin = "200ms"
drain_timeout = "2s"
agent "main" { size = $slots $user }
handler "digest" {
	kind = "command"
	argv = {"/bin/sh", "$work/handler.sh", "$work/notes"}
	timeout = "60s"
}
CONF
}

# start_dispatcher NAME: sets pid_NAME.
start_dispatcher() {
	"$bin/locumd" -c "$work/locumd.conf" -d "$conninfo" --state-dir "$work/$1" \
		2> "$work/$1.log" &
	pids="$pids $!"
	eval "pid_$1=$!"
}

start_fleet() {
	write_config
	for name in $names; do
		start_dispatcher "$name"
	done
	query -c "select demo.wait_for('the start of the dispatchers',
		'(select count(*) = 3 from locum.agent)', '20 s')" > /dev/null 2> "$work/error" ||
		fail "$(cat "$work/error" "$work"/*.log)"
}

# incarnation_of PID
incarnation_of() {
	query -c "select incarnation from locum.dispatchers where pid = $1 and state = 'running'"
}

# await WHAT SECONDS CONDITION
await() {
	query -v what="$1" -v longest="$2 s" -v condition="$3" > /dev/null 2> "$work/error" <<'SQL' ||
select demo.wait_for(:'what', :'condition', :'longest');
SQL
		fail "$(cat "$work/error")"
}

# --- the work ------------------------------------------------------------------------------------

# The files, each name ended by a NUL, that the handlers can read and that JSON can name.
list_files() {
	as=
	[ "$(id -u)" -ne 0 ] || as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
	# shellcheck disable=SC2086 # lists of words
	$as find $folders -type f -readable -print0 2> /dev/null > "$work/found" || :
	LC_ALL=C.UTF-8 grep -zax '.*' "$work/found" | sort -z | head -z -n "$files" > "$work/files"
	total=$(tr -cd '\000' < "$work/files" | wc -c)
	[ "$total" -gt 0 ] || fail "no files under $folders"
}

submit_files() {
	awk -f tools/demo/submission.awk "$work/files" |
		"$bin/locum" submit --stream - -q -d "$conninfo" > "$work/ids" || fail 'submission failed'
	[ "$(wc -l < "$work/ids")" -eq "$total" ] || fail 'submission answered with too few ids'
}

# sha256sum's own answers, beside the ids of the jobs.
expect_results() {
	xargs -0 sha256sum -z -- < "$work/files" | tr '\n\000' '?\n' | cut -c 1-64 > "$work/sums"
	xargs -0 stat --printf '%s\n' -- < "$work/files" > "$work/sizes"
	paste "$work/ids" "$work/sums" "$work/sizes" > "$work/expected"
	query -c '\copy demo.expected from pstdin' < "$work/expected"
}

# --- progress ------------------------------------------------------------------------------------

# News go through the one who draws the bar.
tell() {
	echo "$*" >&4
}

start_progress() {
	mkfifo "$work/news"
	terminal=0
	width=80
	if [ -t 2 ]; then
		terminal=1
		width=$(stty size 2> /dev/null <&2 | cut -d ' ' -f 2)
	fi
	line_by_line=
	case $(awk -W version 2> /dev/null || :) in
	mawk*) line_by_line='-W interactive' ;;
	esac
	# shellcheck disable=SC2086 # two words or none
	awk $line_by_line -v total="$total" -v tty="$terminal" -v width="${width:-80}" \
		-f tools/demo/progress.awk < "$work/news" &
	drawer=$!
	exec 4> "$work/news"
}

# Samples for the bar, from the submission on.
start_watch() {
	printf "select 'P ' || %d - count(*) from locum.job \\\\watch 0.25\n" "$total" > "$work/watch"
	"$LOCUM_TEST_PG_BIN/psql" -XqAt -d "$conninfo" -f "$work/watch" >&4 2> "$work/watch.log" 4>&- &
	watcher=$!
}

stop_progress() {
	kill "$watcher" 2> /dev/null || :
	wait "$watcher" 2> /dev/null || :
	watcher=
	tell "P $total"
	exec 4>&-
	wait "$drawer" || :
	drawer=
}

# --- what happens to the fleet -------------------------------------------------------------------

# await_part PERCENT INCARNATION: until so much is done and the dispatcher is at work.
await_part() {
	await "$1 % of the work" 300 "(select count(*) <= $((total * (100 - $1) / 100))
		and count(*) filter (where incarnation = '$2') > 0 from locum.job)"
}

record_deed() {
	query -c "insert into demo.victim (incarnation, deed) values ('$1', '$2')"
}

# shellcheck disable=SC2154 # pid_ann is set by name
kill_one() {
	victim=$(incarnation_of "$pid_ann")
	await_part 25 "$victim"
	record_deed "$victim" 'kill -9'
	kill -KILL "$pid_ann"
	tell "kill -9 of dispatcher ann, pid $pid_ann, which holds jobs"
}

# Stops it while it holds a job; if it should hold none at that moment, lets it go on and tries again.
# shellcheck disable=SC2154 # pid_bob is set by name
stop_one() {
	victim=$(incarnation_of "$pid_bob")
	held=0
	while [ "$held" -eq 0 ]; do
		await_part 50 "$victim"
		record_deed "$victim" 'stop'
		kill -STOP "$pid_bob"
		held=$(query -c "select pg_sleep(0.1)" \
			-c "select count(*) from locum.job where incarnation = '$victim'" | tail -n 1)
		[ "$held" -gt 0 ] || {
			kill -CONT "$pid_bob"
			query -c "delete from demo.victim where incarnation = '$victim'"
		}
	done
	tell "stop of dispatcher bob, pid $pid_bob, which holds $held jobs"
}

# Past the death interval, until its siblings have its jobs; then until it has found out.
wake_it() {
	await 'the death of the stopped dispatcher' 60 "exists (select from locum.deaths
		where victim_incarnation = '$victim' and reclaimed_at is not null)"
	read -r woken_at _ < /proc/uptime
	kill -CONT "$pid_bob"
	tell 'its siblings have its jobs: bob is woken'
	await 'the return of the woken dispatcher' 60 "exists (select from locum.dispatchers
		where pid = $pid_bob and state = 'running' and incarnation <> '$victim')"
	tell 'bob found out, dropped its jobs, and goes on as a new incarnation'
}

# --- the account ---------------------------------------------------------------------------------

# Prints what must hold, and returns 1 when something does not.
judge() {
	query -F ' ' -c 'select figure, wanted, what from demo.verdict order by line' > "$work/verdict"
	echo "$(count_notes overlap) 0 runs of a job beside another run of it" >> "$work/verdict"
	echo "$(count_retries) 0 retried after reassignment" >> "$work/verdict"
	awk '{
		wanted = $2
		what = $0
		sub(/^[0-9]+ [0-9]+ /, "", what)
		printf "  %-42s %6d%s\n", what, $1, $1 == wanted ? "" : "  WRONG: must be " wanted
		wrong += $1 != wanted
	}
	END { exit wrong > 0 }' "$work/verdict"
}

count_notes() {
	grep -c "^$1 " "$work/notes/log" || :
}

# Runs that began under a claim after its dispatcher had learned that the job was reassigned.
count_retries() {
	grep -h 'job was reassigned' "$work"/*.log |
		sed -n 's/.* job=\([0-9]*\) claim_seq=\([0-9]*\).*/lost \1 \2/p' |
		awk -v woken_at="$woken_at" '
		$1 == "lost" { lost[$2, $3] = 1 }
		$1 == "begin" && ($2, $3) in lost && $4 > woken_at { count++ }
		END { print count + 0 }' - "$work/notes/log"
}

# One line for each: what was done to it, and how long after that each step came. The first figure is
# the certificate's: from the last ping to the declaration. Due is D + 2S, from the deed.
tell_deaths() {
	echo 'deaths: jobs due back in 2.4 s     declared  jobs back'
	echo '  cause       pid  last ping         after      after  jobs  returned'
	query -F '|' -c "select coalesce(deed, 'other'), pid, silent, declared, taken_back, reclaimed,
		returned from demo.death order by declared_at" |
		awk -F '|' '{
			printf "  %-7s %7d %10s %13s %10s %5d %9s\n", $1, $2, $3, $4, $5, $6, $7
		}'
}

report() {
	echo
	result=0
	judge || result=1
	printf '  %-42s %6d\n' 'runs begun; execution is at least once' "$(count_notes begin)"
	echo
	tell_deaths
	echo
	echo 'what the woken dispatcher said:'
	grep 'was reassigned' "$work/bob.log" | head -n 1 || {
		echo '  nothing, which is WRONG'
		result=1
	}
	return "$result"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
make_folder
say 'starting a private PostgreSQL and three dispatchers'
start_database
list_files
start_fleet
start_progress
submit_files
start_watch
tell "$total jobs submitted: gzip and SHA-256 of files under $folders"
expect_results
kill_one
stop_one
wake_it
await 'the end of the work' 300 'not exists (select from locum.job)'
stop_progress
if report; then
	say 'everything that was promised held'
else
	fail 'something that was promised did not hold'
fi
