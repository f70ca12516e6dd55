# Includes of C files: dependencies point one way, paths begin at the root, a source's own header
# comes first, a header has the guard of its path.

function exists(path,    line, got) {
	got = (getline line < path)
	close(path)
	return got >= 0
}

# The layers that a file may include, between spaces. Other folders may include everything.
function allowed(path) {
	if (path ~ /^base\//)
		return " base "
	if (path ~ /^db\//)
		return " base db "
	if (path ~ /^lib\//)
		return " base db lib include "
	if (path ~ /^agent\/host/)
		return " base db agent include "
	if (path ~ /^agent\//)
		return " base agent "
	if (path ~ /^dispatcher\//)
		return " base db dispatcher "
	if (path ~ /^tools\//)
		return " base db tools "
	return ""
}

function check_quoted(path,    layer) {
	if (!exists(path)) {
		violation("include", "\"" path "\" is not a path from the root")
		return
	}
	layer = path
	sub(/\/.*/, "", layer)
	if (LAYERS != "" && !index(LAYERS, " " layer " "))
		violation("layer", "includes \"" path "\"; allowed here:" LAYERS)
}

FNR == 1 {
	LAYERS = allowed(FILENAME)
	includes = guard_line = 0
	own = FILENAME
	sub(/\.c$/, ".h", own)
	own = FILENAME ~ /\.c$/ && exists(own) ? own : ""
	guard = toupper("LOCUM_" FILENAME)
	gsub(/[^A-Z0-9]/, "_", guard)
}

{ code_split($0) }

FILENAME ~ /\.h$/ && CODE ~ /^#/ && !guard_line {
	guard_line = 1
	if (CODE !~ "^#ifndef " guard "$")
		violation("guard", "the first line of code is not #ifndef " guard)
}

CODE ~ /^[ \t]*#[ \t]*include/ {
	path = LITERALS
	sub(/^\t/, "", path)
	if (++includes == 1 && own != "" && path != own)
		violation("include", "the first include is not \"" own "\"")
	if (path != "")
		check_quoted(path)
	else if ($0 ~ /libpq-fe\.h/ && LAYERS != "" && !index(LAYERS, " db "))
		violation("layer", "includes libpq-fe.h, which only db may")
}
