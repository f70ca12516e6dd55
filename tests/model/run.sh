#!/bin/sh
# Checks every variant of the models with Spin and compares each verdict with the expected one.
#
# Usage: tests/model/run.sh [PATTERN]    Only variants whose name or switches match PATTERN (grep -E).
# Needs spin 6.5 and gcc; SPIN=path selects another spin. Two variants are checked at a time.
# Prints "ok NAME" or "not ok NAME" for each; exits 1 when a verdict is not as expected, or when a statement
# of a model is reached in no variant of locum as built: a model that does nothing promises everything.
set -u

SPIN=${SPIN:-spin}
SECONDS_MAX=200

# Budgets of faults: completions without deaths, deaths, both together.
completions='-DSILENCES=0 -DCRASHES=0 -DLOSSES=1 -DRETRIES=1 -DREAPERS_LOST=0'
more_completions='-DSILENCES=0 -DCRASHES=0 -DLOSSES=2 -DRETRIES=1 -DREAPERS_LOST=0'
deaths='-DSILENCES=1 -DCRASHES=1 -DLOSSES=0 -DRETRIES=0 -DREAPERS_LOST=1'
one_death='-DSILENCES=1 -DCRASHES=0 -DLOSSES=0 -DRETRIES=0 -DREAPERS_LOST=0'
both='-DSILENCES=1 -DCRASHES=0 -DLOSSES=1 -DRETRIES=0 -DREAPERS_LOST=0'
both_and_retry='-DSILENCES=1 -DCRASHES=0 -DLOSSES=1 -DRETRIES=1 -DREAPERS_LOST=0'

# EXPECTED|MODEL|NAME|SWITCHES. EXPECTED: ok; built, for locum as it is: ok, and what it reaches counts; ends:
# no run of the model goes on for ever; or the name of the check that must fail.
variants() {
	cat <<TABLE
built|fleet|as built: deaths, two silent or dead workers, a reaper that goes|$deaths
built|fleet|as built: completions, two lost connections, a retry|$more_completions
built|fleet|as built: a death, a lost connection, a retry|$both_and_retry
ends|fleet|as built: every run ends: deaths|$deaths
ends|fleet|as built: every run ends: completions|$more_completions
ends|fleet|as built: every run ends: both|$both
S2|fleet|completion guarded by the state only|$one_death -DFENCE=1
S2|fleet|completion guarded by the state only, without a death|$completions -DFENCE=1
S2|fleet|completion guarded by the id only|$one_death -DFENCE=0
S1|fleet|completion guarded by the id only, without a retry|$completions -DRETRIES=0 -DFENCE=0
RERUN|fleet|unknown outcome forgotten|$completions -DRESOLVE=0
L1|fleet|unknown outcome forgotten, and claims not reconciled|$completions -DRESOLVE=0 -DRECONCILE=0
L1|fleet|claims not reconciled|$completions -DRECONCILE=0
L1|fleet|claims reconciled once after a loss, and never later|$completions -DRECONCILE=1
S5|fleet|look-up in the statement that compares and swaps|$completions -DLOOKUP=1
S5|fleet|no receipts|$completions -DLOOKUP=0
S9|fleet|retry after a conflict|$one_death -DABANDON=0
S8_EVIDENCE|fleet|death without comparing the sequence|$one_death -DSEQGUARD=0
S8_PING|fleet|death in two steps, a ping acknowledged in between|$one_death -DSPLITDEATH=1
S8_PING|fleet|a ping resurrects|$one_death -DRESURRECT=1
S7|fleet|no claim lock|$one_death -DCLAIMLOCK=0
ok|fleet|no claim lock, S7 not asked: the sweep mends it|$one_death -DCLAIMLOCK=0 -DASK_S7=0
L3|fleet|neither claim lock nor sweep|$one_death -DCLAIMLOCK=0 -DASK_S7=0 -DSWEEP=0
ok|fleet|no sweep, and no reaper goes|$one_death -DSWEEP=0
L3|fleet|no sweep, and a reaper goes between a death and its reclaim|$one_death -DSWEEP=0 -DREAPERS_LOST=1
built|fence|as built: the fence in time|
ok|fence|the D that is written is larger than the fence's|-DD_ROW=7 -DD_FENCE=5
S13|fence|the fence counts by a larger D than the one written|-DD_FENCE=7
S13|fence|no fence|-DFENCE=0
S13|fence|the fence counts from the answer|-DFROM_SEND=0
S13|fence|no margin|-DMARGIN=0
S13|fence|a margin not longer than a kill|-DMARGIN=1
S13|fence|the agent does not act while its dispatcher is stopped|-DALONE=0
S13|fence|a start does not look at the fence|-DCHECKED=0
S13|fence|death without comparing the sequence, in time|-DSEQGUARD=0
S13|fence|death by the database's clock alone|-DOBSERVED=0
S13|fence|the next life raises the fence before all is dropped|-DDROPPED=0
S13|fence|the agent stands still as well: the listed exception|-DFROZEN=1
ok|fence|the agent stands still as well: once awake it kills before time goes by|-DFROZEN=1 -DASK_S13=0
AWAKE|fence|the agent stands still as well, and does not see that a life is over|-DFROZEN=1 -DASK_S13=0 -DLIFE=0
TABLE
}

# What a log says: ok, the name of the failed check, or the first words of what went wrong.
verdict() {
	if grep -q 'max search depth too small' "$1"; then
		echo 'search depth too small'
	elif grep -q '^pan:1: assertion violated' "$1"; then
		sed -n 's/^pan:1: assertion violated (\([A-Z0-9_]*\)||.*/\1/p' "$1"
	elif grep -q '^pan:1: ' "$1"; then
		sed -n 's/^pan:1: //p' "$1"
	elif grep -q 'errors: 0' "$1"; then
		echo ok
	else
		echo 'no verdict'
	fi
}

# check EXPECTED MODEL NAME SWITCHES, in a folder of its own
check() {
	expected=$1 model=$2 name=$3 switches=$4
	cp "$MODELS/$model.pml" .
	# The switches are words.
	# shellcheck disable=SC2086
	"$SPIN" $switches -a "$model.pml" >spin.log 2>&1 || head -n 3 spin.log
	case $expected in
	ends) build='-O1 -DNP' options='-l -E -A' wanted=ok ;;
	ok | built) build='-O1 -DSAFETY' options='' wanted=ok ;;
	*) build='-O0 -DSAFETY' options='' wanted=$expected ;;
	esac
	# shellcheck disable=SC2086
	gcc -w $build -DNOCLAIM -DCOLLAPSE -o pan pan.c &&
		timeout "$SECONDS_MAX" ./pan $options -m2000000 >pan.log 2>&1
	got=$(verdict pan.log)
	states=$(awk '/states, stored/ { print $1; exit }' pan.log)
	if [ "$got" = "$wanted" ]; then
		printf 'ok %s (%s, %s states)\n' "$name" "$got" "$states" >result
	else
		printf 'not ok %s: wanted %s, got %s\n' "$name" "$wanted" "$got" >result
	fi
	[ "$expected" = built ] &&
		awk '/^unreached in/ { where = $NF } /^\t[a-z]*\.pml:/ && !/"-end-"/ { print where, $0 }' \
			pan.log >"../unreached.$model.$(basename "$PWD")"
	rm -f pan pan.? "$model.pml"
}

# What no variant as built reaches.
report_unreached() {
	for model in fleet fence; do
		set -- "$work/unreached.$model".*
		[ -e "$1" ] || continue
		sort "$@" | uniq -c | awk -v all=$# '$1 == all { $1 = ""; print }' >"$work/never"
		if [ -s "$work/never" ]; then
			printf 'not ok every statement of %s is reached\n' "$model"
			cat "$work/never"
		else
			printf 'ok every statement of %s is reached\n' "$model"
		fi
	done
}

if [ "${1:-}" = --check ]; then
	mkdir -p "$2" && cd "$2" || exit 1
	shift 2
	check "$@"
	exit
fi

MODELS=$(cd "$(dirname "$0")" && pwd) || exit 1
export MODELS SPIN
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
number=100
variants | grep -E -e "${1:-.}" | while IFS='|' read -r expected model name switches; do
	number=$((number + 1))
	printf '%s\0' "$work/$number" "$expected" "$model" "$name" "$switches"
done | xargs -0 -n 5 -P 2 "$MODELS/run.sh" --check
cat "$work"/*/result >"$work/results"
[ -z "${1:-}" ] && report_unreached >>"$work/results"
cat "$work/results"
! grep -q '^not ok' "$work/results"
