# shellcheck shell=sh
# What is written down, and the progress that is shown: sourced by run.sh, which sets these.
: "${out:?}" "${home:?}" "${section=}" "${sections=}" "${full=}" "${quiet=}"

# record FIGURE UNIT VALUE: of this section and round
record() {
	printf '%s\t%s\t%s\t%s\t%s\n' "$section" "$1" "$2" "$round" "$3" >> "$out/results.tsv"
}

# point SERIES UNIT X VALUE: of a curve of this section
point() {
	printf '%s\t%s\t%s\t%s\t%s\n' "$section" "$@" >> "$out/series.tsv"
}

# not_measured SECTION FIGURE REASON
not_measured() {
	grep -qxF -e "$(printf '%s\t%s\t%s' "$@")" "$out/skipped.tsv" ||
		printf '%s\t%s\t%s\n' "$@" >> "$out/skipped.tsv"
}

# --- rounds --------------------------------------------------------------------------------------

seconds_now() {
	date +%s
}

# start_rounds RUNS SHARE: so many rounds follow, fewer (RUNS_LEAST at least) when this share, in percent, of the
# section's seconds is over.
start_rounds() {
	round=0
	rounds=$1
	rounds_until=$(($(seconds_now) + section_seconds * $2 / 100))
}

# Fewer when the machine is so slow that all of it would take much longer than was said.
least_rounds() {
	if [ $(($(seconds_now) - bench_began)) -gt $((passed + section_seconds + 120)) ]; then
		echo 1
	else
		echo "$RUNS_LEAST"
	fi
}

# more_rounds: begins the next one, and sets round
more_rounds() {
	[ "$round" -lt "$rounds" ] || return 1
	[ "$round" -lt "$(least_rounds)" ] || [ "$(seconds_now)" -lt "$rounds_until" ] || {
		say "$section: $round of $rounds rounds, the time is over"
		return 1
	}
	round=$((round + 1))
}

# in_turns COMMAND…: runs the commands, in odd rounds from the first to the last, in even ones backwards
in_turns() {
	if [ $((round % 2)) -eq 1 ]; then
		for turn; do
			step "round $round of $rounds: ${turn#run_}"
			$turn
		done
		return
	fi
	turns=
	for turn; do
		turns=$turn${turns:+;$turns}
	done
	while [ -n "$turns" ]; do
		turn=${turns%%;*}
		step "round $round of $rounds: ${turn#run_}"
		$turn
		case $turns in
		*\;*) turns=${turns#*;} ;;
		*) turns= ;;
		esac
	done
}

# --- progress ------------------------------------------------------------------------------------

# seconds_of SECTION: how long it takes, about
seconds_of() {
	awk -F '\t' -v section="$1" -v column="${full:+3}" \
		'$1 == section { print $(column == "" ? 2 : column) }' "$home/sections.tsv"
}

# Adds up what is ahead.
expect() {
	expected=10
	passed=0
	section_seconds=0
	for section in $sections; do
		expected=$((expected + $(seconds_of "$section")))
	done
	bench_began=$(seconds_now)
	[ -n "${TRIAL:-}" ] || say "this takes about $(((expected + 59) / 60)) min"
}

begin_section() {
	passed=$((passed + section_seconds))
	section_seconds=$(seconds_of "$section")
	section_began=$(seconds_now)
	round=1
	step "$(awk -F '\t' -v section="$section" '$1 == section { print $4 }' "$home/sections.tsv")"
}

# step WHAT: is being done
step() {
	[ -z "$quiet" ] || return 0
	if [ ! -t 2 ]; then
		echo "bench: $section: $*" >&2
		return
	fi
	awk -v what="$section: $*" -v passed="$passed" -v all="$expected" -v limit="$section_seconds" \
		-v here="$(($(seconds_now) - section_began))" -v took="$(($(seconds_now) - bench_began))" 'BEGIN {
		share = (passed + (here < limit ? here : limit)) / all
		bar = sprintf("%*s", 30 * share, "")
		gsub(/ /, "#", bar)
		printf "\r\033[K[%-30s] %3d%%  %d:%02d  %.60s", bar, 100 * share, took / 60, took % 60, what
	}' >&2
}

# say WHAT: a line that stays
say() {
	[ ! -t 2 ] || printf '\r\033[K' >&2
	echo "bench: $*" >&2
}

end_progress() {
	[ -z "$quiet" ] || return 0
	say "$(grep -c . "$out/results.tsv" || :) values measured in $((($(seconds_now) - bench_began) / 60)) min"
}
