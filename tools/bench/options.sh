# shellcheck shell=sh disable=SC2034
# The command line: sourced by run.sh, which sets these.
: "${home:?}" "${out:?}"

form=markdown
full=${FULL:-}
sections=

usage() {
	echo "bench: $*" >&2
	echo 'usage: run.sh [--full] [--json] [-o FOLDER] [SECTION...]' >&2
	exit 64
}

add_section() {
	cut -f 1 "$home/sections.tsv" | grep -qxF -e "$1" ||
		usage "there is no section \"$1\": $(cut -f 1 "$home/sections.tsv" | tr '\n' ' ')"
	sections="${sections:+$sections }$1"
}

read_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--full) full=1 ;;
		--json) form=json ;;
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
	set_sizes
}
