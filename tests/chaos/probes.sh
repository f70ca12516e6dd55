#!/bin/sh
# probes.sh BUILD FOLDER [RELEASE]: plays the suite of the named instants with a build that has them, and prints a line
# "ok …" or "not ok …" for each act, injection and invariant, for a suite one of whose probes never fires, and for what is
# left of them in RELEASE, a build without. FOLDER gets the histories, instead of what is in it.
set -eu
build=$1
folder=$2
release=${3:-}
here=$(dirname "$0")
failed=0

result() {
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1: $2, not $3"
		failed=1
	fi
}

# play NAME ARGUMENT…
play() {
	name=$1
	shift
	status=0
	"$build/bin/locum" chaos run "$@" --output "$folder/$name" > "$folder/$name.txt" 2>&1 || status=$?
}

rm -rf "$folder"
mkdir -p "$folder"
play suite --suite probes
[ "$status" -eq 0 ] || { cat "$folder/suite.txt"; failed=1; }
{ "$build/bin/locum" chaos report "$folder/suite" --json || :; } | node "$here/lines.js"

play unfired --file "$here/unfired.conf"
result 'a suite with a probe that never fires does not pass' "exit $status" 'exit 2'
result 'the report names that probe' \
	"$(grep -c 'probe-settled *nothing shows that it bit' "$folder/unfired.txt" || :)" 1

result 'a build with probes shows them' "$(tools/house/check_probes.sh "$build" | grep -c . | sed 's/[1-9][0-9]*/some/')" some
if [ -n "$release" ]; then
	result 'a build without probes has nothing of them' "$(tools/house/check_probes.sh "$release")" ''
fi
exit "$failed"
