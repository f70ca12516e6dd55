# What no text file holds: open ends, white space at the end of a line, waiting by time in scripts,
# and in db/sql a file without its signature.

BEGIN {
	# Put together, so that this file does not hold the words.
	open_end = "(^|[^A-Za-z])(TO" "DO|FIX" "ME|X" "XX)([^A-Za-z]|$)"
}

$0 ~ open_end { printf "%s:%d: text: an open end; do it or drop it\n", FILENAME, FNR }

/[ \t]$/ && FILENAME !~ /\.out$/ { printf "%s:%d: text: white space at the end\n", FILENAME, FNR }

FNR == 1 { script = FILENAME ~ /\.sh$/ || $0 ~ /^#!.*sh$/ }

script && /(^|[;&|(`]|then|do|else)[ \t]*(sleep|usleep)[ \t]+["$0-9.]/ {
	printf "%s:%d: call: sleep: never wait by time\n", FILENAME, FNR
}

FNR == 1 && FILENAME ~ /^db\/sql\// {
	stem = FILENAME
	gsub(/.*\/|\.sql$/, "", stem)
	signature = ""
	heading = 1
	if (index($0, "-- " stem "(") != 1)
		printf "%s:1: signature: the file does not begin with \"-- %s(\"\n", FILENAME, stem
}

FILENAME ~ /^db\/sql\// && heading {
	if (/^--/) {
		signature = signature " " $0
		next
	}
	heading = 0
	if (signature !~ /\).* -> /)
		printf "%s:1: signature: no \"(arg type, …) -> columns\"\n", FILENAME
}
