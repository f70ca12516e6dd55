#!/bin/sh
# The server of a test program that crashes or restarts it.
#
#   scenario_server.sh make DIR    makes a cluster in the folder DIR, in place of one that is there
#   scenario_server.sh copy DIR FROM
#                                  makes a standby there of the server with its socket in FROM
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

own() {
	[ "$(id -u)" -ne 0 ] || chown postgres "$directory"
	cd "$directory"
	rm -rf "$directory/data"
}

case $verb in
make)
	own
	as_owner "$bin/initdb" --pgdata="$directory/data" --username=postgres --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --no-sync > "$directory/initdb.log"
	;;
copy)
	own
	as_owner "$bin/pg_basebackup" --pgdata="$directory/data" --host="$3" --username=postgres \
		--write-recovery-conf --wal-method=stream --checkpoint=fast --no-sync
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
