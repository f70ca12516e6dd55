# shellcheck shell=sh
# Dispatchers for the benchmark: sourced by run.sh, which sets these.
: "${build:?}" "${top:=}" "${conninfo:=}" "${daemons:=}"

# The intervals: death after 2 s of silence, looked for every 200 ms.
write_config() {
	mkdir -p "$top/$1"
	cat > "$top/$1/locumd.conf" <<CONF
database = "$conninfo"
state_dir = "$top/$1"
log_level = "warning"
root_handlers = true
poll_interval = "200ms"
ping_interval = "300ms"
ping_death_interval = "2s"
kill_grace = "500ms"
fence_margin = "300ms"
scan_interval = "200ms"
agent "main" { size = $2 }
handler "true" { kind = "command" argv = {"/bin/true"} }
handler "nap" { kind = "command" argv = {"/bin/sleep", "0.2"} }
handler "hold" { kind = "command" argv = {"/bin/sleep", "5"} }
handler "noop" { kind = "plugin" path = "$build/plugins/noop.so" }
handler "service_c" { kind = "service" argv = {"$build/handlers/service"} concurrency = 1000 }
handler "service_python" { kind = "service" argv = {"$PWD/examples/handlers/service.py"} concurrency = 1000 }
handler "service_node" { kind = "service" argv = {"$PWD/examples/handlers/service.js"} concurrency = 1000 }
handler "flood" { kind = "command" argv = {"/usr/bin/head", "-c", "1073741824", "/dev/zero"} }
CONF
}

# start_dispatcher NAME SIZE: sets dispatcher to its pid
start_dispatcher() {
	write_config "$1" "$2"
	"$build/bin/locumd" -c "$top/$1/locumd.conf" 2> "$top/$1/log" &
	dispatcher=$!
	daemons="$daemons $dispatcher"
}

# start_default NAME: one with every setting as it is by default, and a handler that nobody calls
start_default() {
	mkdir -p "$top/$1"
	cat > "$top/$1/locumd.conf" <<CONF
database = "$conninfo"
state_dir = "$top/$1"
log_level = "warning"
root_handlers = true
agent "main" { size = 4 }
handler "true" { kind = "command" argv = {"/bin/true"} }
CONF
	"$build/bin/locumd" -c "$top/$1/locumd.conf" 2> "$top/$1/log" &
	dispatcher=$!
	daemons="$daemons $dispatcher"
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

# submit COUNT HANDLER
submit() {
	sql -v count="$1" -v handler="$2" -f tools/bench/sql/submit.sql > /dev/null
}
