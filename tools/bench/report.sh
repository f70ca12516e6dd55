#!/bin/sh
# report.sh FOLDER CONNINFO markdown|json SECTION…: makes FOLDER/report.md, FOLDER/report.json and the plots from the values in
# FOLDER, and prints one of the two. Exit 1 when a goal is missed.
set -eu
home=$(cd "$(dirname "$0")" && pwd)
folder=$1
conninfo=$2
form=$3
shift 3

sql() {
	psql -XAtq -d "$conninfo" -c "$1"
}

# One "name<tab>value" a line: where and with what it was measured.
machine() {
	printf 'processor\t%s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
	printf 'processors\t%s\n' "$(nproc)"
	printf 'memory_mb\t%s\n' "$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)"
	printf 'load_average_at_the_end\t%s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
	printf 'kernel\t%s\n' "$(uname -r)"
	printf 'locum\t%s\n' "${LOCUM_BENCH_VERSION:-}"
	printf 'postgresql\t%s\n' "$(sql 'show server_version')"
	printf 'measured_at\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	for setting in fsync synchronous_commit full_page_writes wal_level shared_buffers max_wal_size autovacuum; do
		printf '%s\t%s\n' "$setting" "$(sql "show $setting")"
	done
	[ -z "${TRIAL:-}" ] || printf 'trial\tthe sizes were tiny: these figures mean nothing\n'
}

# report FORM
report() {
	awk -f "$home/report.awk" -v form="$1" -v ran="$ran" -v plots="$plots" "$folder/machine.tsv" "$folder/peers.tsv" \
		"$folder/skipped.tsv" "$home/goals.tsv" "$folder/results.tsv"
}

ran=$*
machine > "$folder/machine.tsv"
plots=$("$home/plot.sh" "$folder")
report json > "$folder/report.json"
status=0
report markdown > "$folder/report.md" || status=$?
case $form in
json) cat "$folder/report.json" ;;
*) cat "$folder/report.md" ;;
esac
exit $status
