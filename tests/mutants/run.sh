#!/bin/sh
# tests/mutants/run.sh [NAME…]: builds each mutant of locum and has the failure harness judge it.
#
# Prints a line "ok …" or "not ok …" for each, and for the unharmed source at each play. Exit 1 when a mutant lives, does
# not apply or does not build, or the unharmed source does not pass.
# JOBS=N compilers at a time (default: processors); KEEP=FOLDER keeps the runs there.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
jobs=${JOBS:-$(nproc)}
play_seconds=300
bad=0

work=$(mktemp -d /tmp/locum-mutants.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

header() {
	sed -n "s/^$2: //p; /^---/q" "$root/tests/mutants/$1.patch"
}

good() {
	echo "ok $1"
}

# What the log of the run or of the compiler says goes along.
wrong() {
	echo "not ok $1"
	tail -n 20 "$2" | sed 's/^/  | /'
	bad=$((bad + 1))
}

make_probes() {
	make --no-print-directory -s -j"$jobs" -C "$1" B=build/probes CC=gcc CPPFLAGS=-DLOCUM_PROBES all \
		> "$work/build.log" 2>&1
}

# A tree of its own, with what is built already, so that only what a patch changes is built again.
plant() {
	mkdir "$work/tree"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$work/tree"
	mkdir "$work/tree/build"
	cp -a build/probes "$work/tree/build/"
}

# play NAME WORD…: its exit code is the run's: 0 valid, 1 invalid, 2 unknown, 124 too long; its folder is $work/NAME.
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
	# shellcheck disable=SC2086 # a list of words
	timeout "$play_seconds" "$work/tree/build/probes/bin/locum" chaos run $arguments --seed 1 -q \
		--output "$folder" > "$folder.log" 2>&1
}

# The one of the words (invariants, or "demand": what a fault asks for) that the verdict says is broken.
find_broken() {
	# shellcheck disable=SC2086 # a list of words
	"$work/tree/build/probes/bin/locum" chaos report --json "$work/$1" | node -e '
const { verdict } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const demands = verdict.faults.reduce((sum, fault) => sum + fault.broken, 0);
const isBroken = (word) => (word === "demand" ? demands : verdict.invariants[word].count) > 0;
console.log(process.argv.slice(1).find(isBroken) ?? "");' $2
}

# Caught is what was judged to be invalid, and for the reason that its header names.
judge() {
	name=$1
	status=0
	# shellcheck disable=SC2046 # a list of words
	play "$name" $(header "$name" Play) || status=$?
	[ -z "${KEEP:-}" ] || cp -a "$work/$name" "$work/$name.log" "$KEEP"
	by=
	[ "$status" -ne 1 ] || by=$(find_broken "$name" "$(header "$name" Caught-by)")
	if [ -n "$by" ]; then
		good "$name: caught by $by"
	else
		wrong "$name: lives (exit $status): $(header "$name" What)" "$work/$name.log"
	fi
}

try() {
	if ! patch -s -F0 -p1 -d "$work/tree" < "$root/tests/mutants/$1.patch" > "$work/build.log" 2>&1; then
		wrong "$1: does not apply" "$work/build.log"
	elif ! make_probes "$work/tree"; then
		wrong "$1: does not build" "$work/build.log"
	else
		judge "$1"
	fi
	# The source as it was, newer than what was built of it.
	sed -n 's|^+++ b/||p' "$root/tests/mutants/$1.patch" | while read -r file; do
		cp "$root/$file" "$work/tree/$file"
	done
	find "$work/tree" \( -name '*.orig' -o -name '*.rej' \) -delete
}

# The source as it is has to pass what catches mutants.
acquit() {
	status=0
	rm -rf "$work/unharmed"
	play unharmed "$@" || status=$?
	[ -z "${KEEP:-}" ] || cp -a "$work/unharmed" "$KEEP/unharmed-$1"
	if [ "$status" -eq 0 ]; then
		good "unharmed: passes $*"
	else
		wrong "unharmed: does not pass $* (exit $status)" "$work/unharmed.log"
	fi
}

acquit_all() {
	words=$(for name in "$@"; do header "$name" Play; done | tr ' ' '\n' | sort -u)
	for word in $words; do
		case $word in
		*.conf) acquit "$word" ;;
		esac
	done
	faults=$(echo "$words" | grep -v '\.conf$' || :)
	# shellcheck disable=SC2086 # a list of words
	[ -z "$faults" ] || acquit $faults
}

if [ $# -eq 0 ]; then
	for patch in tests/mutants/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi
make_probes . || { tail -n 40 "$work/build.log"; exit 1; }
plant
for name in "$@"; do
	try "$name"
done
make_probes "$work/tree" || { tail -n 40 "$work/build.log"; exit 1; }
acquit_all "$@"
[ "$bad" -eq 0 ]
