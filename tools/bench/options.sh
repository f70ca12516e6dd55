# shellcheck shell=sh disable=SC2034
# The command line: sourced by run.sh, which sets these.
: "${home:?}" "${out:?}"

form=markdown
quiet=
list=
full=${FULL:-}
sections=

usage() {
	echo "bench: $*" >&2
	echo 'usage: run.sh [--full] [--json] [--quiet] [-o FOLDER] [SECTION...] | --list' >&2
	exit 64
}

add_section() {
	cut -f 1 "$home/sections.tsv" | grep -qxF -e "$1" ||
		usage "there is no section \"$1\": $(cut -f 1 "$home/sections.tsv" | tr '\n' ' ')"
	sections="${sections:+$sections }$1"
}

# With their names only when --quiet is given.
list_sections() {
	if [ -n "$quiet" ]; then
		cut -f 1 "$home/sections.tsv"
	else
		awk -F '\t' '{ printf "%-10s about %4d s  %s\n", $1, $2, $4 }' "$home/sections.tsv"
	fi
	exit 0
}

read_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--full) full=1 ;;
		--json) form=json ;;
		-q | --quiet) quiet=1 ;;
		--list) list=1 ;;
		-o | --output)
			[ $# -gt 1 ] || usage "$1 needs a folder"
			out=$2
			shift
			;;
		-*) usage "there is no option \"$1\"" ;;
		*) add_section "$1" ;;
		esac
		shift
	done
	[ -z "$list" ] || list_sections
	set_sizes
}
