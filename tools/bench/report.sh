#!/bin/sh
# report.sh DIR CONNINFO: makes DIR/report.md and DIR/report.json from DIR/results.tsv and shows the
# former. Exit 1 when a goal is missed.
set -eu
dir=$1
conninfo=$2

sql() {
	psql -XAtq -d "$conninfo" -c "$1"
}

# One "name<tab>value" a line: where and with what it was measured.
{
	printf 'processor\t%s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
	printf 'processors\t%s\n' "$(nproc)"
	printf 'memory_mb\t%s\n' "$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)"
	printf 'load_average\t%s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
	printf 'kernel\t%s\n' "$(uname -r)"
	printf 'postgresql\t%s\n' "$(sql 'show server_version')"
	printf 'measured_at\t%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	for setting in fsync synchronous_commit full_page_writes shared_buffers max_wal_size autovacuum; do
		printf '%s\t%s\n' "$setting" "$(sql "show $setting")"
	done
} > "$dir/machine.tsv"

awk -f tools/bench/report.awk -v form=json "$dir/machine.tsv" "$dir/results.tsv" > "$dir/report.json"
status=0
awk -f tools/bench/report.awk -v form=markdown "$dir/machine.tsv" "$dir/results.tsv" \
	> "$dir/report.md" || status=$?
cat "$dir/report.md"
exit $status
