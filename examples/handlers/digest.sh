#!/bin/sh
# digest.sh: a handler for locum. The payload {"path": "/some/file"} comes on standard input; the
# result, on descriptor 3, is {"size": …, "gzip": …, "sha256": "…"}: the file's size, its size when
# compressed, and its SHA-256.
#
#   handler "digest" {
#           kind = "command"
#           argv = {"/usr/local/share/locum/handlers/digest.sh"}
#           timeout = "60s"
#   }
#
# Exit codes: 0 done; 65 the payload is wrong, which fails for good; any other is tried again.
set -eu
export LC_ALL=C

# The string at key "path" of the object on standard input, its escapes resolved, and a full stop,
# which keeps the line breaks before it from being cut off.
# shellcheck disable=SC2016 # what awk expands
reader='
function character(code) {
	if (code < 128)
		return sprintf("%c", code)
	if (code < 2048)
		return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
	if (code < 65536)
		return sprintf("%c%c%c", 224 + int(code / 4096), \
			128 + int(code / 64) % 64, 128 + code % 64)
	return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, \
		128 + int(code / 64) % 64, 128 + code % 64)
}
function hex(digits,    i, value) {
	for (i = 1; i <= 4; i++)
		value = value * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
	return value
}
# The string whose first quote is at `at`; moves `at` behind its last.
function string(    text, c, code) {
	for (at++; (c = substr(json, at, 1)) != "\""; at++) {
		if (c != "\\") {
			text = text c
			continue
		}
		c = substr(json, ++at, 1)
		if (c != "u") {
			text = text (c in escape ? escape[c] : c)
			continue
		}
		code = hex(tolower(substr(json, at + 1, 4)))
		at += 4
		if (code >= 55296 && code < 56320) {
			code = 65536 + (code - 55296) * 1024 + \
				hex(tolower(substr(json, at + 3, 4))) - 56320
			at += 6
		}
		text = text character(code)
	}
	at++
	return text
}
BEGIN {
	escape["b"] = "\b"
	escape["f"] = "\f"
	escape["n"] = "\n"
	escape["r"] = "\r"
	escape["t"] = "\t"
}
{ json = json $0 "\n" }
END {
	for (at = 1; at <= length(json); ) {
		c = substr(json, at, 1)
		if (c != "\"") {
			depth += (c ~ /[[{]/) - (c ~ /[]}]/)
			at++
			continue
		}
		text = string()
		if (is_value && depth == 1) {
			printf "%s.", text
			exit
		}
		is_value = depth == 1 && text == "path" && substr(json, at) ~ /^[ \t\r\n]*:[ \t\r\n]*"/
	}
}'

fail() {
	echo "$2" >&2
	exit "$1"
}

path=$(awk "$reader")
path=${path%.}
[ -n "$path" ] || fail 65 'the payload has no "path"'
[ -f "$path" ] || fail 65 "there is no file $path"

size=$(wc -c < "$path")
packed=$(gzip -c < "$path" | wc -c)
sum=$(sha256sum < "$path")
printf '{"size": %d, "gzip": %d, "sha256": "%s"}\n' "$size" "$packed" "${sum%% *}" >&3
