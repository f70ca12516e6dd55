# expand.awk -v include_dir=DIR -v source=FILE LIMITS_H FILE: the text of one SQL file with
# "-- include: NAME" lines replaced by DIR/NAME, or by the file NAME when it has a slash, and LIMIT_ words by their numbers. Exit 1 when
# something is not found; every such place is reported.

function fail(what) {
	printf "%s:%d: embed: %s\n", source, FNR, what > "/dev/stderr"
	failed = 1
}

function with_limits(line,    done, word, before) {
	done = ""
	while (match(line, /LIMIT_[A-Z0-9_]+/)) {
		word = substr(line, RSTART, RLENGTH)
		before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
		done = done substr(line, 1, RSTART - 1)
		line = substr(line, RSTART + RLENGTH)
		if (before !~ /[A-Za-z0-9_]/) {
			if (word in limit)
				word = limit[word]
			else
				fail(word " is not a number in base/limits.h")
		}
		done = done word
	}
	return done line
}

FILENAME != source {
	if (match($0, /LIMIT_[A-Z0-9_]+ = -?[0-9]+,/)) {
		split(substr($0, RSTART, RLENGTH - 1), pair, " = ")
		limit[pair[1]] = pair[2]
	}
	next
}

/^[ \t]*-- include: / {
	path = index($3, "/") ? $3 : include_dir "/" $3
	while ((got = (getline line < path)) > 0)
		print with_limits(line)
	if (got < 0)
		fail("cannot read " path)
	close(path)
	next
}

{ print with_limits($0) }

END { exit failed }
