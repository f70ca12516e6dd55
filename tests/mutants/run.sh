#!/bin/sh
# tests/mutants/run.sh [NAME…]: builds each mutant of locum and has the failure harness judge it.
#
# Prints a line for each and, last, "N caught, N alive". Exit 1 when one lives, does not apply or does not build.
# JOBS=N compilers at a time (default: processors); KEEP=1 leaves the runs of those that live.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
jobs=${JOBS:-$(nproc)}
caught=0
alive=0

work=$(mktemp -d /tmp/locum-mutants.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

header() {
	sed -n "s/^$2: //p; /^---/q" "$root/tests/mutants/$1.patch"
}

# A tree of its own, with what is built already, so that only what a patch changes is built again.
plant() {
	make --no-print-directory -s -j"$jobs" B=build/mutants CPPFLAGS=-DLOCUM_PROBES all > "$work/plant.log"
	mkdir "$work/tree"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$work/tree"
	mkdir -p "$work/tree/build"
	cp -a build/mutants "$work/tree/build/"
}

build() {
	make --no-print-directory -s -j"$jobs" -C "$work/tree" B=build/mutants \
		CPPFLAGS=-DLOCUM_PROBES all > "$work/build.log" 2>&1
}

# play NAME WORD…: the run's exit code; its folder is $work/NAME.
play() {
	folder=$work/$1
	shift
	arguments=
	for word in "$@"; do
		case $word in
		*.conf) arguments="$arguments --file $root/tests/mutants/$word" ;;
		*) arguments="$arguments --fault $word" ;;
		esac
	done
	status=0
	# shellcheck disable=SC2086 # a list of words
	timeout 300 "$work/tree/build/mutants/bin/locum-chaos" run $arguments --seed 1 -q \
		--output "$folder" > "$folder.log" 2>&1 || status=$?
	return "$status"
}

# Whether one of the invariants was violated, or the demand of a fault not met.
violated() {
	for invariant in $2; do
		if "$work/tree/build/mutants/bin/locum-chaos" report --json "$work/$1" |
			python3 -c '
import json, sys
verdict = json.load(sys.stdin)["verdict"]
broken = (sum(fault["broken"] for fault in verdict["faults"]) if sys.argv[1] == "demand"
          else verdict["invariants"][sys.argv[1]]["count"])
sys.exit(0 if broken > 0 else 1)' "$invariant"; then
			echo "$invariant"
			return 0
		fi
	done
	return 1
}

judge() {
	name=$1
	status=0
	# shellcheck disable=SC2046 # a list of words
	play "$name" $(header "$name" Play) || status=$?
	by=
	[ ! -e "$work/$name/verdict.json" ] || by=$(violated "$name" "$(header "$name" Caught-by)") || :
	if [ "$status" -ne 0 ] && [ -n "$by" ]; then
		echo "caught  $name by $by"
		return 0
	fi
	echo "ALIVE   $name: $(header "$name" What) (exit $status)"
	tail -n 5 "$work/$name.log" | sed 's/^/  | /'
	[ -z "${KEEP:-}" ] || cp -a -T "$work/$name" "/tmp/locum-mutant-$name"
	return 1
}

try() {
	if ! patch -s -F0 -p1 -d "$work/tree" < "$root/tests/mutants/$1.patch" || ! build; then
		echo "BROKEN  $1: does not apply or does not build"
		tail -n 5 "$work/build.log" | sed 's/^/  | /'
		alive=$((alive + 1))
	elif judge "$1"; then
		caught=$((caught + 1))
	else
		alive=$((alive + 1))
	fi
	# The source as it was, newer than what was built of it.
	sed -n 's|^+++ b/||p' "$root/tests/mutants/$1.patch" | while read -r file; do
		cp "$root/$file" "$work/tree/$file"
	done
	find "$work/tree" -name '*.orig' -delete
}

# passes WORD…: the source as it is has to pass what catches mutants.
passes() {
	status=0
	rm -rf "$work/unharmed"
	play unharmed "$@" || status=$?
	if [ "$status" -eq 0 ]; then
		echo "passed  the unharmed source, $*"
		return
	fi
	echo "FAILED  the unharmed source, $* (exit $status)"
	tail -n 20 "$work/unharmed.log" | sed 's/^/  | /'
	alive=$((alive + 1))
}

acquit() {
	build || :
	words=$(for name in "$@"; do header "$name" Play; done | tr ' ' '\n' | sort -u)
	faults=$(echo "$words" | grep -v '\.conf$' || :)
	for word in $words; do
		case $word in
		*.conf) passes "$word" ;;
		esac
	done
	# shellcheck disable=SC2086 # a list of words
	[ -z "$faults" ] || passes $faults
}

if [ $# -eq 0 ]; then
	for patch in tests/mutants/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi
plant
for name in "$@"; do
	try "$name"
done
acquit "$@"
echo "$caught caught, $alive alive"
[ "$alive" -eq 0 ]
