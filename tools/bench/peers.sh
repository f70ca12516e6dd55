# shellcheck shell=sh
# What locum is compared with: peers/NAME.sh prepare|submit N|drain N|latency N, whose lines are "NAME<tab>figure".
# Sourced by run.sh, which sets these.
: "${home:?}" "${out:?}" "${top=}" "${conninfo=}" "${measurer:?}" "${section=}"

# peer_call NAME ACTION [N]…: its lines go to $top/peer. Sets reason when it fails.
peer_call() {
	script=$home/peers/$1.sh
	shift
	: > "$top/peer"
	[ -x "$script" ] || {
		reason="${script##*/} is not there"
		return 1
	}
	code=0
	LOCUM_BENCH_CONNINFO=$conninfo LOCUM_BENCH_SCRATCH=${LOCUM_BENCH_SCRATCH:-$out/peers} \
		LOCUM_BENCH_BIN=${measurer%/*} "$script" "$@" > "$top/peer" 2> "$top/peer.log" || code=$?
	[ $code -ne 0 ] || return 0
	reason=$(tail -n 1 "$top/peer.log" | tr '\t' ' ')
	[ $code -eq 77 ] || reason="failed with $code: $reason"
	return 1
}

# peer_ready NAME: prepares it once in a run; false when it cannot be had, which the report says
peer_ready() {
	if [ ! -e "$top/ready.$1" ]; then
		step "preparing $1"
		mkdir -p "${LOCUM_BENCH_SCRATCH:-$out/peers}"
		if peer_call "$1" prepare; then
			echo > "$top/ready.$1"
			cat "$top/peer" >> "$out/peers.tsv"
		else
			echo "$reason" > "$top/ready.$1"
			say "$1 is not measured: $reason"
		fi
	fi
	reason=$(cat "$top/ready.$1")
	[ -z "$reason" ] || not_measured "$section" "$1" "$reason"
	[ -z "$reason" ]
}

# peer NAME UNIT [PREFIX] ACTION ARGUMENT…: records what it prints, under the names that it prints
peer() {
	peer_ready "$1" || return 0
	name=$1
	unit=$2
	shift 2
	if peer_call "$name" "$@"; then
		while read -r figure value; do
			record "$figure" "$unit" "$value"
		done < "$top/peer"
	else
		not_measured "$section" "$name" "$reason"
	fi
}
