#!/bin/sh
# pgq.sh prepare | submit N | drain N: measures PgQ
#
# The environment is what peer.sh says. Prints "pgq<TAB>figure": the settings in words; events per
# second. Exit 77: it cannot be installed or run here, or the verb is one that it does not have.
set -eu
cd "$(dirname "$0")/../../.."
name=pgq

. tools/bench/peers/peer.sh

prepare() {
	version=$(psql -XAtq -d "$LOCUM_BENCH_CONNINFO" -c "select default_version
		from pg_available_extensions where name = 'pgq'")
	[ -n "$version" ] || not_here 'its package for this server, postgresql-15-pgq3, is missing'
	sql -c 'set client_min_messages to warning' -c 'create extension if not exists pgq'
	printf 'pgq\tPgQ %s, one consumer, batches of 2000, next_batch, get_batch_events and finish_batch by libpq\n' \
		"$version"
}

# The ticker runs behind each 2,000 events while they are inserted, so the consumer never waits for it.
drain() {
	sql -v jobs="$1" -f tools/bench/peers/pgq_fill.sql
	run "$LOCUM_BENCH_BIN/locum-bench" -d "$LOCUM_BENCH_CONNINFO" --connections 1 pgq \
		> "$LOCUM_BENCH_SCRATCH/pgq"
	rate "$1" pgq "$LOCUM_BENCH_SCRATCH/pgq"
}

case "${1:-},$#" in
prepare,1)
	prepare
	;;
submit,2)
	number "$2"
	sql -v jobs="$2" -f tools/bench/peers/pgq_submit.sql
	;;
drain,2)
	number "$2"
	drain "$2"
	;;
latency,*) not_here "its ticker decides when a batch is cut, once a second by default" ;;
*) usage ;;
esac
