#!/bin/sh
# Checks every variant of dispatch.pml with Spin and compares each verdict with the expected one.
#
# Usage: tests/model/run.sh      Needs spin 6.5 and gcc; SPIN=path selects another spin.
# Prints "ok NAME" or "not ok NAME" for each verdict; exits 1 when one is not as expected.
set -u
cd "$(dirname "$0")" || exit 1
SPIN=${SPIN:-spin}
bad=0

verdict() {
	grep -oE '^pan:1: .*|errors: [0-9]+' "$1" | head -n 1
}

states() {
	awk '/states, stored/ { print $1; exit }' "$1"
}

# report NAME EXPECTED LOG      EXPECTED: ok | fail
report() {
	got=fail
	[ "$(verdict "$3")" = 'errors: 0' ] && got=ok
	if [ "$got" = "$2" ] && [ -n "$(verdict "$3")" ]; then
		printf 'ok %s (%s, %s states)\n' "$1" "$(verdict "$3")" "$(states "$3")"
		return
	fi
	printf 'not ok %s: wanted %s, got %s\n' "$1" "$2" "$(verdict "$3")"
	bad=1
}

# variant NAME EXPECTED_SAFETY EXPECTED_LIVENESS [-DFLAG=n ...]
variant() {
	name=$1 safety=$2 liveness=$3
	shift 3
	dir=$(mktemp -d) || exit 1
	cp dispatch.pml "$dir"
	(
		cd "$dir" || exit 1
		"$SPIN" "$@" -a dispatch.pml >spin.log 2>&1 || head -n 3 spin.log
		gcc -O1 -w -DNFAIR=4 -o live pan.c
		gcc -O1 -w -DSAFETY -DNOCLAIM -o safety pan.c
		timeout 120 ./safety -E -m400000 >safety.log 2>&1
		timeout 200 ./live -a -f -m800000 -N live >live.log 2>&1
	)
	report "$name: safety" "$safety" "$dir/safety.log"
	report "$name: liveness" "$liveness" "$dir/live.log"
	rm -rf "$dir"
}

variant 'claim fence, claim lock, sweep, resent completion' ok ok -DFENCE=2
variant 'no sweep' ok ok -DSWEEP=0
variant 'no claim lock' ok ok -DCLAIMLOCK=0
variant 'neither claim lock nor sweep' ok fail -DCLAIMLOCK=0 -DSWEEP=0
variant 'completion guarded by state only' fail fail -DFENCE=1
variant 'completion by id only' fail fail -DFENCE=0
variant 'unknown outcome forgotten' ok fail -DRESOLVE=0
exit $bad
