#!/bin/sh
# The server of a test program that crashes or restarts it.
#
#   scenario_server.sh make DIR    makes a cluster in the folder DIR, in place of one that is there
#   scenario_server.sh copy DIR FROM
#                                  makes a standby there of the server with its socket in FROM
#   scenario_server.sh run DIR     becomes its server, on a Unix socket in DIR only; its clock is ahead by what
#                                  DIR/clock says, when there is such a file at its start
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
	(as_owner "$bin/initdb" --pgdata="$directory/data" --username=postgres --auth=trust \
		--encoding=UTF8 --locale=C.UTF-8 --no-sync > "$directory/initdb.log")
	# In the file, so that a test can turn it on.
	printf 'fsync = off\nfull_page_writes = off\n' >> "$directory/data/postgresql.conf"
	;;
copy)
	own
	as_owner "$bin/pg_basebackup" --pgdata="$directory/data" --host="$3" --username=postgres \
		--write-recovery-conf --wal-method=stream --checkpoint=fast --no-sync
	;;
run)
	cd "$directory"
	exec >> "$directory/server.log" 2>&1
	set --
	if [ -f "$directory/clock" ]; then
		# A copy, for its owner may not reach what was built.
		cp "$LOCUM_TEST_BIN/../harness/skew.so" "$directory"
		set -- env LD_PRELOAD="$directory/skew.so" SKEW_FILE="$directory/clock"
	fi
	as_owner "$@" "$bin/postgres" -D "$directory/data" -k "$directory" -h '' \
		-c max_connections=100 -c restart_after_crash=on
	;;
remove)
	rm -rf "$directory"
	;;
esac
