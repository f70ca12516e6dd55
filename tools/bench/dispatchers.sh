# shellcheck shell=sh
# Dispatchers for the benchmark: sourced by run.sh, which sets these.
: "${home:?}" "${bin:?}" "${plugins:?}" "${stamp:?}" "${services:?}" "${service_c:?}" "${top=}" "${conninfo=}"

daemons=

# Death after 2 s of silence, looked for every 200 ms: what a section takes that measures deaths or starts many
# dispatchers. Without them the defaults are in force.
quick_intervals() {
	cat <<'CONF'
poll_interval = "200ms"
ping_interval = "300ms"
ping_death_interval = "2s"
kill_grace = "500ms"
fence_margin = "300ms"
scan_interval = "200ms"
CONF
}

# handlers: all that a section may want
handlers() {
	cat <<CONF
handler "true" { kind = "command" argv = {"/bin/true"} }
handler "nap" { kind = "command" argv = {"/bin/sleep", "0.2"} }
handler "hold" { kind = "command" argv = {"/bin/sleep", "5"} }
handler "noop" { kind = "plugin" path = "$plugins/noop.so" }
handler "stamp" { kind = "plugin" path = "$stamp" }
handler "sql" { kind = "sql" function = "bench.nothing" }
handler "service_python" { kind = "service" argv = {"$services/service.py"} concurrency = 1000 }
handler "service_node" { kind = "service" argv = {"$services/service.js"} concurrency = 1000 }
handler "flood" { kind = "command" argv = {"/usr/bin/head", "-c", "1073741824", "/dev/zero"} }
CONF
	[ ! -x "$service_c" ] ||
		echo "handler \"service_c\" { kind = \"service\" argv = {\"$service_c\"} concurrency = 1000 }"
}

# begin_config NAME: the folder of a dispatcher, its configuration up to agents and handlers, which follow on stdin
begin_config() {
	mkdir -p "$top/$1"
	{
		cat <<CONF
database = "$conninfo${extra:-}"
state_dir = "$top/$1"
log_level = "warning"
root_handlers = true
CONF
		cat
	} > "$top/$1/locumd.conf"
}

# launch NAME: sets dispatcher to its pid
launch() {
	"$bin/locumd" -c "$top/$1/locumd.conf" 2> "$top/$1/log" &
	dispatcher=$!
	daemons="$daemons $dispatcher"
}

# start_dispatcher NAME SIZE: with quick intervals
start_dispatcher() {
	begin_config "$1" <<CONF
$(quick_intervals)
agent "main" { size = $2 }
$(handlers)
CONF
	launch "$1"
}

# start_default NAME SIZE: every other setting is as it is by default
start_default() {
	begin_config "$1" <<CONF
agent "main" { size = $2 }
$(handlers)
CONF
	launch "$1"
}

stop_dispatcher() {
	kill -TERM "$dispatcher"
	wait "$dispatcher" || :
	daemons=${daemons% *}
}

stop_all() {
	for pid in $daemons; do
		kill -TERM "$pid" 2> /dev/null || :
		wait "$pid" || :
	done
	daemons=
}

# end_dispatchers STATUS: when a section ends, with that; after a failure it says what they logged last
end_dispatchers() {
	[ "$1" -eq 0 ] || find "$top" -maxdepth 2 -name log -size +0 -exec tail -n 3 {} + >&2
	for pid in $daemons; do
		kill -KILL "$pid" 2> /dev/null || :
		wait "$pid" 2> /dev/null || :
	done
}

# agent_of PID: the agent of a dispatcher
agent_of() {
	tr ' ' '\n' < "/proc/$1/task/$1/children" | grep -m 1 .
}

# host_of PID: a plugin host of an agent
host_of() {
	tr ' ' '\n' < "/proc/$1/task/$1/children" | while read -r child; do
		[ "$(cat "/proc/$child/comm")" != locum-host ] || {
			echo "$child"
			return
		}
	done
}

# peak PID: the most memory that it ever held, in MB
peak() {
	awk '/^VmHWM:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

# mapped PID: what it holds of its program and its libraries, which are in memory once for all their processes, in MB
mapped() {
	awk '/^RssFile:/ { printf "%.1f\n", $2 / 1024 }' "/proc/$1/status"
}

# submit COUNT HANDLER
submit() {
	sql -v count="$1" -v handler="$2" -f "$home/sql/submit.sql" > /dev/null
}
