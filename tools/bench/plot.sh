#!/bin/sh
# plot.sh FOLDER: draws FOLDER/results.tsv and FOLDER/series.tsv by gnuplot, and prints the names of the files it made:
# SECTION-bars-UNIT.svg, the medians with the least and the most, and SECTION-curve-UNIT.svg.
set -eu
folder=$1
command -v gnuplot > /dev/null || {
	echo 'bench: gnuplot is not there: no plots (Debian: gnuplot-nox)' >&2
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# groups FILE: "section<tab>unit" of each
groups() {
	cut -f 1,3 "$1" | sort -u
}

# file_of SECTION KIND UNIT
file_of() {
	echo "$1-$2-$(echo "$3" | sed 's/µ/u/; s/%/percent/; s/[^A-Za-z0-9]/_/g').svg"
}

begin_plot() {
	cat <<PLOT
set terminal svg size 860,420 font "sans-serif,13" background rgb "white"
set output "$folder/$1"
set title "$2" noenhanced
set ylabel "$3" noenhanced
set yrange [0:*]
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set key outside below noenhanced
PLOT
}

# Lines "figure<tab>median<tab>least<tab>most" of a section and a unit, in the order of the figures.
medians() {
	awk -F '\t' -v section="$1" -v unit="$2" '
	$1 == section && $3 == unit {
		if (!($2 in n))
			names[++count] = $2
		value[$2, ++n[$2]] = $5 + 0
	}
	END {
		for (i = 1; i <= count; i++) {
			name = names[i]
			for (j = 2; j <= n[name]; j++) {
				held = value[name, j]
				for (k = j - 1; k >= 1 && value[name, k] > held; k--)
					value[name, k + 1] = value[name, k]
				value[name, k + 1] = held
			}
			middle = int((n[name] + 1) / 2)
			median = n[name] % 2 ? value[name, middle] : (value[name, middle] + value[name, middle + 1]) / 2
			printf "%s\t%s\t%s\t%s\n", name, median, value[name, 1], value[name, n[name]]
		}
	}' "$folder/results.tsv"
}

# Latencies go from tens of microseconds to seconds.
scale_of() {
	[ "$1" != latency ] || printf 'set logscale y\nset yrange [10:*]\n'
}

plot_bars() {
	medians "$1" "$2" > "$work/data"
	file=$(file_of "$1" bars "$2")
	{
		begin_plot "$file" "$1: medians, least and most" "$2"
		cat <<PLOT
set datafile separator "\t"
$(scale_of "$1")
set style fill solid 0.6
set boxwidth 0.6
set xtics rotate by -30 noenhanced
plot "$work/data" using 0:2:xtic(1) with boxes lc rgb "#3366aa" notitle, \
	"" using 0:2:3:4 with yerrorbars lc rgb "#222222" pt 0 notitle
PLOT
	} | gnuplot
	echo "$file"
}

# Lines "x<tab>value" of a series, the median of each x.
curve() {
	awk -F '\t' -v section="$1" -v unit="$2" -v series="$3" \
		'$1 == section && $3 == unit && $2 == series { print $4 "\t" $5 }' "$folder/series.tsv" |
		sort -k 1,1g -k 2,2g | awk -F '\t' '
		function put(    middle) {
			middle = int((n + 1) / 2)
			if (n)
				print x "\t" (n % 2 ? value[middle] : (value[middle] + value[middle + 1]) / 2)
			n = 0
		}
		$1 != x { put() }
		{ x = $1; value[++n] = $2 }
		END { put() }'
}

plot_curves() {
	file=$(file_of "$1" curve "$2")
	cut -f 1-3 "$folder/series.tsv" | sort -u | awk -F '\t' -v section="$1" -v unit="$2" \
		'$1 == section && $3 == unit { print $2 }' > "$work/names"
	number=0
	lines=
	rm -f "$work"/curve*
	while IFS= read -r name; do
		number=$((number + 1))
		curve "$1" "$2" "$name" > "$work/curve$number"
		lines="$lines${lines:+, }\"$work/curve$number\" using 1:2 with linespoints lw 2 pt 7 ps 0.5 title \"$name\""
	done < "$work/names"
	# One point is no curve.
	[ "$(cut -f 1 "$work"/curve* | sort -u | wc -l)" -gt 1 ] || return 0
	{
		begin_plot "$file" "$1" "$2"
		case $1 in
		backlog | fleet) echo 'set logscale x' ;;
		esac
		printf 'set datafile separator "%s"\n' '\t'
		echo "plot $lines"
	} | gnuplot
	echo "$file"
}

# each FILE FUNCTION
each() {
	groups "$1" > "$work/groups"
	while IFS="$(printf '\t')" read -r section unit; do
		"$2" "$section" "$unit" < /dev/null
	done < "$work/groups"
}

each "$folder/results.tsv" plot_bars
each "$folder/series.tsv" plot_curves
