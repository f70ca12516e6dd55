# What the checks of C share. code_split(line) sets CODE to the line without comments and with ""
# for each literal, and LITERALS to the texts of its string literals, each behind a tab.

FNR == 1 { in_comment = 0 }

# Takes the literal that begins at position i of line; returns the position behind it.
function literal_end(line, i,    quote, c) {
	quote = substr(line, i, 1)
	if (quote == "\"")
		LITERALS = LITERALS "\t"
	for (i++; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == quote)
			break
		if (c == "\\")
			c = c substr(line, ++i, 1)
		if (quote == "\"")
			LITERALS = LITERALS c
	}
	CODE = CODE "\"\""
	return i + 1
}

function code_split(line,    i, two, end) {
	CODE = LITERALS = ""
	i = 1
	while (i <= length(line)) {
		two = substr(line, i, 2)
		if (in_comment) {
			end = index(substr(line, i), "*/")
			if (!end)
				return
			i += end + 1
			in_comment = 0
			CODE = CODE " "
		} else if (two == "/*") {
			in_comment = 1
			i += 2
		} else if (two == "//") {
			return
		} else if (two ~ /^["']/) {
			i = literal_end(line, i)
		} else {
			CODE = CODE substr(two, 1, 1)
			i++
		}
	}
}

function violation(rule, what) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, rule, what
}
