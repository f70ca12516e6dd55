#!/bin/sh
# raw.sh prepare | submit N | drain N: measures the least that a claim and a completion could be
#
# The environment is what peer.sh says. Prints "raw<TAB>figure", of drain "raw_kept<TAB>figure" and
# "raw_none<TAB>figure": history kept and not kept, jobs per second. Exit 77: no such verb here.
set -eu
cd "$(dirname "$0")/../../.."
name=raw

. tools/bench/peers/peer.sh

prepare() {
	there=$(psql -XAtq -d "$LOCUM_BENCH_CONNINFO" -c "select to_regclass('bare.job') is not null")
	[ "$there" = t ] || sql -f tools/bench/sql/schema_bare.sql
	printf 'raw\t2 connections, batches of 1000, libpq in pipeline mode, one commit completes and claims\n'
}

# empty JOBS CONTESTANT FIGURE
empty() {
	sql -v jobs="$1" -f tools/bench/sql/fill_bare.sql
	run "$LOCUM_BENCH_BIN/locum-bench" -d "$LOCUM_BENCH_CONNINFO" --batch 1000 "$2" \
		> "$LOCUM_BENCH_SCRATCH/raw"
	rate "$1" "$3" "$LOCUM_BENCH_SCRATCH/raw"
}

case "${1:-},$#" in
prepare,1)
	prepare
	;;
submit,2)
	number "$2"
	sql -v jobs="$2" -f tools/bench/peers/raw_submit.sql
	;;
drain,2)
	number "$2"
	empty "$2" bare raw_kept
	empty "$2" bare_none raw_none
	sql -c 'truncate bare.job, bare.finished'
	;;
latency,*) not_here 'it has no handlers to wait for' ;;
*) usage ;;
esac
