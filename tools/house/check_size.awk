# Sizes: a function has at most 60 lines, a file 500. With -v lengths=1 it prints the length of
# each C function instead, one a line.
#
# A C function begins where its declaration does and has its braces in the first column; a shell
# function is "name() {" to "}"; a body in SQL stands between two equal dollar quotes.

function violation_at(line, rule, what) {
	printf "%s:%d: %s: %s\n", file, line, rule, what
}

function check_file() {
	if (file != "" && !lengths && last > 500)
		violation_at(501, "size", "the file has " last " lines, 500 are allowed")
}

function end_body(    count) {
	count = FNR - start + 1
	if (lengths && FILENAME ~ /\.c$/)
		print count
	if (!lengths && count > 60)
		violation_at(start, "size", "the function has " count " lines, 60 are allowed")
	open = ""
}

FNR == 1 {
	check_file()
	file = FILENAME
	open = ""
	start = 1
}

{ last = FNR }

FILENAME ~ /\.[ch]$/ {
	if (open == "}") {
		if ($0 ~ /^}/)
			end_body()
	} else if ($0 ~ /^{/) {
		open = "}"
	} else if ($0 ~ /^[ \t]*$/ || $0 ~ /^[#}]/ || $0 ~ /(;|\*\/)[ \t]*$/) {
		start = FNR + 1
	}
	next
}

FILENAME ~ /\.sql$/ {
	if (open != "") {
		if (index($0, open) == 1)
			end_body()
	} else if (match($0, /\$[a-z_]*\$$/)) {
		open = substr($0, RSTART)
		start = FNR
	}
	next
}

/^[a-z_]+\(\) [{(]$/ {
	open = $0 ~ /{$/ ? "}" : ")"
	start = FNR
}
open != "" && $0 == open { end_body() }

END { check_file() }
