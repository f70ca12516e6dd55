# shellcheck shell=sh
# Memory: the most that each process ever held (VmHWM). What ten agents hold together counts their program once.
: "${bin:?}" "${top:?}" "${conninfo:?}" "${section=}" "${round=}" "${dispatcher=}"

# add A B
add() {
	echo "$1 $2" | awk '{ print $1 + $2 }'
}

run_handlers() {
	step '100 handlers at once'
	start_dispatcher memory 100
	submit 100 hold
	sql -c "call bench.until('(select count(*) = 100 from locum.job where state = ''active'')', 60)"
	agent=$(agent_of "$dispatcher")
	record locumd_100_slots MB "$(peak "$dispatcher")"
	record agent_100_slots MB "$(peak "$agent")"
	record both_100_slots MB "$(add "$(peak "$dispatcher")" "$(peak "$agent")")"
	sql -c "call bench.until('not exists (select from locum.job)', 60)"
	step 'a handler that writes 1 GB'
	submit 1 flood
	sql -c "call bench.until('not exists (select from locum.job)', 300)"
	record agent_1_gb_written MB "$(peak "$agent")"
	stop_dispatcher
}

# Ten agents that claim whatever they may hold; the jobs take too long to be done meanwhile.
run_prefetched() {
	step "$PREFETCHED jobs prefetched"
	fill "$PREFETCHED" wait
	begin_config prefetched <<CONF
$(quick_intervals)
$(for agent in $(seq 10); do echo "agent \"agent$agent\" { size = $((PREFETCHED / 10)) }"; done)
handler "wait" { kind = "service" argv = {"/bin/sleep", "600"} concurrency = $((PREFETCHED / 10)) }
CONF
	launch prefetched
	sql -c "call bench.until('(select count(*) from locum.job where incarnation is not null) >= $PREFETCHED', 60)" ||
		not_measured memory prefetched "$(sql -c 'select count(*) from locum.job where incarnation is not null') of $PREFETCHED jobs were claimed"
	record prefetched jobs "$(sql -c 'select count(*) from locum.job where incarnation is not null')"
	agents=0
	own=0
	once=
	for child in $(tr ' ' '\n' < "/proc/$dispatcher/task/$dispatcher/children"); do
		[ "$(cat "/proc/$child/comm")" = locum-agent ] || continue
		agents=$(add "$agents" "$(peak "$child")")
		own=$(add "$own" "$(add "$(peak "$child")" "-$(mapped "$child")")")
		[ -n "$once" ] || once=$(mapped "$child")
	done
	record locumd_prefetched MB "$(peak "$dispatcher")"
	record agents_prefetched MB "$agents"
	record agents_once_prefetched MB "$(add "$own" "$once")"
	record all_prefetched MB "$(add "$(peak "$dispatcher")" "$(add "$own" "$once")")"
	stop_dispatcher
}

# A stream of lines of 10 kB into the CLI.
run_stream() {
	step "$STREAM_MB MB streamed in"
	awk -v lines="$((STREAM_MB * 1024 / 10))" 'BEGIN {
		for (text = "xxxxxxxxxx"; length(text) < 10200; text = text text)
			;
		text = substr(text, 1, 10200)
		for (i = 0; i < lines; i++)
			print "{\"handler\": \"noop\", \"payload\": {\"n\": " i ", \"text\": \"" text "\"}}"
	}' > "$top/lines"
	"$bin/locum" submit -q --stream - --batch 1000 -d "$conninfo" < "$top/lines" > /dev/null 2> "$top/stream.log" &
	client=$!
	most=0
	while [ -e "/proc/$client/status" ]; do
		held=$(peak "$client" 2> /dev/null) || held=
		[ -z "$held" ] || most=$held
		pass 0.2
	done
	wait "$client"
	rm -f "$top/lines"
	record cli_1_gb_streamed MB "$most"
}

measure_memory() {
	keep all
	empty_tables
	run_handlers
	empty_tables
	run_stream
	empty_tables
	run_prefetched
}
