#!/bin/sh
# run_test.sh RESULTS SECONDS NAME COMMAND…: runs one test program for at most SECONDS and leaves
# "passed failed skipped" in RESULTS/NAME/counts; prints one line, and what it said when it failed.
#
# A cmocka program reports in XML; another program in lines "ok …", "not ok …", "skip …". One that
# ends badly without a failed test, or that reports nothing, counts as one failed test.
# RESULTS/NAME/pid is there while it runs, for whoever has to end it.
set -eu
export LC_ALL=C.UTF-8

results=$1/$3
lock=$1/lock
seconds=$2
name=$3
shift 3

mkdir -p "$results"
export CMOCKA_MESSAGE_OUTPUT=XML CMOCKA_XML_FILE="$results/%g.xml"
began=$(date +%s)
# The pid stays the same through exec, so the file names `timeout`, which ends its whole group.
status=0
sh -c 'echo $$ > "$1/pid"; shift; exec timeout "$@"' sh "$results" \
	--kill-after=10 "$seconds" "$@" > "$results/output" 2>&1 < /dev/null || status=$?
rm -f "$results/pid"
elapsed=$(($(date +%s) - began))

count() {
	cat "$results"/*.xml "$results/output" 2> /dev/null | awk -v status="$status" '
	function attribute(name) {
		return match($0, " " name "=\"[0-9]+\"") ? \
			substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0 : 0
	}
	/^ *<testsuite / {
		bad = attribute("failures") + attribute("errors")
		skipped += attribute("skipped")
		passed += attribute("tests") - bad - attribute("skipped")
		failed += bad
	}
	/^ok / { passed++ }
	/^not ok / { failed++ }
	/^skip / { skipped++ }
	END {
		if (!failed && (status != 0 || passed + skipped == 0))
			failed = 1
		print passed + 0, failed + 0, skipped + 0
	}'
}

# The failed tests of the XML files with their messages.
failures() {
	cat "$results"/*.xml 2> /dev/null | awk '
	/<testcase / { split($0, part, "\""); test = part[2] }
	/<(failure|error)/ { print "  " test; inside = 1 }
	inside {
		last = /<\/(failure|error)>|\]\]>/
		gsub(/ *<\/?(failure|error)>|<!\[CDATA\[|\]\]>/, "")
		print "    " $0
		inside = !last
	}'
}

count > "$results/counts"
read -r passed failed skipped < "$results/counts"
{
	if [ "$failed" -eq 0 ]; then
		printf 'ok    %-44s %4d tests %4d s' "$name" "$passed" "$elapsed"
		[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
		echo
	else
		printf 'FAIL  %-44s %4d of %d failed, exit status %d' \
			"$name" "$failed" "$((passed + failed + skipped))" "$status"
		[ "$status" -ne 124 ] || printf ': longer than %d s' "$seconds"
		echo
		failures
		tail -n 200 "$results/output" | sed 's/^/  | /'
	fi
} > "$results/summary"
# One at a time, so that the lines of two programs neither mix nor overwrite each other.
flock "$lock" cat "$results/summary"
