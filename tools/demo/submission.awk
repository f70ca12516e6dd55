# Paths, each ended by a NUL, become lines for `locum submit --stream`.

BEGIN {
	RS = "\0"
	for (code = 1; code < 32; code++)
		escape[sprintf("%c", code)] = sprintf("\\u%04x", code)
}

{
	gsub(/\\/, "\\\\\\\\")
	gsub(/"/, "\\\"")
	if (/[\001-\037]/)
		for (character in escape)
			if (index($0, character)) {
				before = ""
				while (at = index($0, character)) {
					before = before substr($0, 1, at - 1) escape[character]
					$0 = substr($0, at + 1)
				}
				$0 = before $0
			}
	printf "{\"handler\": \"digest\", \"payload\": {\"path\": \"%s\"}}\n", $0
}
