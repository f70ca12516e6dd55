#!/bin/sh
# The server of a test program that crashes or restarts it.
#
#   scenario_server.sh make DIR    makes a cluster in the empty folder DIR
#   scenario_server.sh run DIR     becomes its server, on a Unix socket in DIR only
#   scenario_server.sh remove DIR  removes DIR
#
# As root it belongs to postgres, because the server refuses to run as root.
set -eu

verb=$1
directory=$2
bin=${LOCUM_TEST_PG_BIN:-/usr/lib/postgresql/15/bin}

as_owner() {
	if [ "$(id -u)" -eq 0 ]; then
		# The signal is lost with a change of the user and set again.
		exec setpriv --reuid=postgres --regid=postgres --init-groups --reset-env \
			--pdeathsig=QUIT "$@"
	fi
	exec "$@"
}

case $verb in
make)
	[ "$(id -u)" -ne 0 ] || chown postgres "$directory"
	cd "$directory"
	as_owner "$bin/initdb" --pgdata="$directory/data" --username=postgres --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --no-sync > "$directory/initdb.log"
	;;
run)
	cd "$directory"
	exec >> "$directory/server.log" 2>&1
	as_owner "$bin/postgres" -D "$directory/data" -k "$directory" -h '' -c fsync=off \
		-c full_page_writes=off -c max_connections=100 -c restart_after_crash=on
	;;
remove)
	rm -rf "$directory"
	;;
esac
