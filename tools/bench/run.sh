#!/bin/sh
# run.sh [--full] [--json] [--quiet] [-o FOLDER] [SECTION…] | --list: measures locum, and what it is compared with, on a durable cluster of
# its own; without a SECTION all of them (sections.tsv says what each is).
#
# FOLDER (build/bench) gets report.md, report.json, a plot for each series (SVG, if gnuplot is there) and results.tsv
# with every single value. The report goes to stdout, with --json as JSON; progress goes to stderr.
# Exit code 0: every goal was reached, 1: one was missed or a section failed, 64: the command line is wrong.
#
# FULL=1 is --full: more and larger runs, two hours. TRIAL=1: tiny ones, in two minutes, whose figures mean nothing.
# sizes.sh names the numbers that the environment may change.
set -eu
home=$(cd "$(dirname "$0")" && pwd)

for part in place options sizes record cluster dispatchers kernel peers runs; do
	# shellcheck source=/dev/null
	. "$home/$part.sh"
done
: "${bin:?}" "${conninfo=}" "${form=}"

# In a shell of its own, so that a section that fails ends alone. What it started ends with it.
measure() {
	(
		set -e
		trap 'end_dispatchers $?' EXIT
		trap 'exit 130' HUP INT TERM PIPE
		# shellcheck source=/dev/null
		. "$home/sections/$section.sh"
		"measure_$section"
		empty_tables
	)
}

run_sections() {
	for section in $sections; do
		begin_section
		set +e
		measure
		status=$?
		set -e
		[ $status -ne 130 ] || exit 130
		if [ $status -ne 0 ]; then
			failed="${failed:+$failed }$section"
			not_measured "$section" "the rest of it" "the section failed"
			say "$section failed"
		fi
	done
}

failed=
read_options "$@"
mkdir -p "$out" 2> /dev/null || {
	echo "bench: cannot make the folder $out" >&2
	exit 65
}
out=$(cd "$out" && pwd)
for file in results skipped series peers; do
	: > "$out/$file.tsv"
done
[ -n "$sections" ] || sections=$(cut -f 1 "$home/sections.tsv")
expect
start_cluster
run_sections
end_progress
status=0
# shellcheck disable=SC2086 # a list of words
LOCUM_BENCH_VERSION=$("$bin/locum" --version) "$home/report.sh" "$out" "$conninfo" "$form" $sections || status=$?
[ -z "$failed" ] || status=1
exit $status
