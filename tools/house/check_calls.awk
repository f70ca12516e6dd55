# Calls that are not made here, and SQL text in C.

BEGIN {
	unsafe = "strcpy strcat sprintf vsprintf gets strtok atoi atol system popen alloca"
	waiting = "sleep usleep nanosleep pthread_cancel"
	ending = "exit abort signal sigaction"
	why("unsafe", unsafe)
	why("never wait by time, never cancel a thread", waiting)
	why("only main.c ends the process or handles signals", ending)
	reason["_exit"] = "only main.c and what becomes another program may"
}

function why(text, names,    i, count, list) {
	count = split(names, list, " ")
	for (i = 1; i <= count; i++)
		reason[list[i]] = text
}

function permitted(name) {
	if (index(" " ending " ", " " name " "))
		return FILENAME ~ /(^|\/)main\.c$/ || FILENAME ~ /^(tools\/chaos\/(undo\/undo_spawn|handler\/misdeed)\.c$|tests\/)/
	if (name == "_exit")
		return FILENAME ~ /(^|\/)main\.c$/ || FILENAME ~ /^(agent\/shim[^\/]*\.c$|tools\/chaos\/(undo\/undo_spawn|handler\/misdeed)\.c$|tests\/)/
	return 0
}

function check_call(name) {
	if (name in reason && !permitted(name))
		violation("call", name "(): " reason[name])
	if (name ~ /^PQ(exec|send|prepare)/ && FILENAME !~ /^(db|tests|examples)\/|^tools\/bench\/(bare|pgq)\.c$|^tools\/chaos\/(history\/recorder|stage\/server|faults\/grip)\.c$/)
		violation("call", name "(): only db talks to the database")
}

# Every NAME( in the code that is not a member of something.
function check_code(rest,    before, found) {
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		before = substr(rest, 1, RSTART - 1)
		found = substr(rest, RSTART, RLENGTH - 1)
		rest = substr(rest, RSTART + RLENGTH)
		sub(/[ \t]+$/, "", found)
		if (before !~ /(\.|->)$/)
			check_call(found)
	}
}

function check_literal(text) {
	text = tolower(text)
	gsub(/\\[nt]/, " ", text)
	sub(/^ +/, "", text)
	if (text ~ /^(select|update|insert into|delete from) / || text ~ /(insert into|delete from) [a-z]/ ||
	    text ~ /select .* from /)
		violation("sql", "SQL text in C; a statement is a file in db/sql")
}

{
	code_split($0)
	check_code(CODE)
}

LITERALS != "" && FILENAME !~ /^(tests|examples)\// {
	count = split(LITERALS, literal, "\t")
	for (i = 2; i <= count; i++)
		check_literal(literal[i])
}
