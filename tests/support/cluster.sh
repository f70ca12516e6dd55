#!/bin/sh
# A throw-away PostgreSQL server for tests.
#
#   cluster.sh start DIR        makes a cluster under the new folder DIR and starts it
#   cluster.sh environment DIR  prints "export LOCUM_TEST_…" lines for it
#   cluster.sh stop DIR         stops it and removes DIR
#   cluster.sh with COMMAND…    runs COMMAND with a cluster of its own around it
#
# The server listens on a Unix socket in DIR only and trusts everybody. As root it belongs to
# postgres, because the server refuses to run as root.
set -eu

fail() {
	echo "cluster: $1" >&2
	exit 1
}

server_programs() {
	for bin in "${LOCUM_PG_BIN:-}" /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin; do
		if [ -n "$bin" ] && [ -x "$bin/initdb" ]; then
			echo "$bin"
			return
		fi
	done
	fail "no PostgreSQL server programs found; run 'make deps' or set LOCUM_PG_BIN"
}

as_owner() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"
	else
		"$@"
	fi
}

write_settings() {
	cat >> "$1/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$1'
max_connections = 200
max_prepared_transactions = 10
wal_level = logical
shared_buffers = 128MB
fsync = off
full_page_writes = off
autovacuum_naptime = 1min
log_line_prefix = '%m [%p] %d %a '
log_lock_waits = on
CONF
}

start() {
	dir=$1
	bin=$(server_programs)
	mkdir -p "$dir"
	chmod 755 "$dir"
	[ "$(id -u)" -ne 0 ] || chown postgres "$dir"
	cd "$dir"
	as_owner "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --no-sync > "$dir/initdb.log" ||
		fail "initdb failed, see $dir/initdb.log"
	write_settings "$dir"
	if ! as_owner "$bin/pg_ctl" start --pgdata="$dir/data" --wait --timeout=60 \
		--log="$dir/server.log" > /dev/null; then
		cat "$dir/server.log" >&2
		fail 'the server did not start'
	fi
}

stop() {
	dir=$1
	bin=$(server_programs)
	[ -d "$dir" ] || return 0
	cd /
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_owner "$bin/pg_ctl" stop --pgdata="$dir/data" --mode=immediate --wait > /dev/null || :
	fi
	rm -rf "$dir"
}

environment() {
	echo "export LOCUM_TEST_CONNINFO='host=$1 dbname=postgres user=postgres'"
	echo "export LOCUM_TEST_PGDATA='$1/data'"
	echo "export LOCUM_TEST_PG_BIN='$(server_programs)'"
	echo "export LOCUM_TEST_BIN='${LOCUM_TEST_BIN:-$PWD/${B:-build}/bin}'"
}

with() {
	top=$(mktemp -d /tmp/locum-test.XXXXXX)
	trap 'stop "$top"' EXIT
	trap 'exit 130' HUP INT TERM
	eval "$(environment "$top")"
	(start "$top")
	"$@"
}

verb=${1:-}
case $verb in
start | stop | environment)
	[ $# -eq 2 ] || fail "$verb takes a folder"
	"$verb" "$2"
	;;
with)
	shift
	[ $# -gt 0 ] || fail 'with takes a command'
	with "$@"
	;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 64
	;;
esac
