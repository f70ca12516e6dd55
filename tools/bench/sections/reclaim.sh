# shellcheck shell=sh
# Reclaim after kill -9: a dispatcher that holds more than three jobs is killed, a sibling does them.
: "${home:?}" "${top:?}" "${section=}" "${round=}" "${rounds=}" "${dispatcher=}"

run_kill() {
	sql -c 'truncate locum.finished'
	start_dispatcher "victim$round" 4
	sql -c "call bench.until('exists (select from locum.agent join locum.dispatcher using (incarnation)
		where pid = $dispatcher)', 60)"
	submit 40 nap
	victim=$(sql -c "select incarnation from locum.dispatcher where pid = $dispatcher and state = 'running'")
	sql -c "call bench.until('(select count(*) > 3 from locum.job where incarnation = ''$victim'')', 60)"
	sql -v pid="$dispatcher" -v victim="$victim" -f "$home/sql/kill.sql" > "$top/times"
	wait "$dispatcher" 2> /dev/null || :
	daemons=${daemons% *}
	read -r killed pinged first last < "$top/times"
	record killed_to_reclaimed ms "$killed"
	record last_ping_to_reclaimed ms "$pinged"
	record killed_to_first_restart ms "$first"
	record killed_to_last_restart ms "$last"
}

measure_reclaim() {
	keep all
	empty_tables
	start_dispatcher survivor 4
	start_rounds "$KILLS" 1000
	while more_rounds; do
		step "kill $round of $rounds"
		run_kill
	done
	stop_all
}
