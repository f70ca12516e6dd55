# Draws the progress of a run. Reads "P DONE" lines, which are samples, and other lines, which are news
# and go to standard output. -v total=N -v tty=1 -v width=80; without a terminal it writes a plain line
# whenever another tenth is done.

BEGIN {
	hashes = sprintf("%200s", "")
	dots = hashes
	gsub(/ /, "#", hashes)
	gsub(/ /, ".", dots)
}

function now(    line) {
	getline line < "/proc/uptime"
	close("/proc/uptime")
	return line + 0
}

function clock(seconds) {
	seconds = int(seconds + 0.5)
	return sprintf("%d:%02d", seconds / 60, seconds % 60)
}

# Over the last samples, so that it follows what happens.
function rate(    first) {
	first = samples > 20 ? samples - 20 : 1
	return when[samples] > when[first] ? \
		(count[samples] - count[first]) / (when[samples] - when[first]) : 0
}

function text(    per_second, left) {
	per_second = rate()
	left = done == total ? "took " clock(when[samples] - when[1]) : \
		per_second > 0 ? clock((total - done) / per_second) " left" : "-:-- left"
	return sprintf("%3d%%  %d/%d  %d/s  %s", 100 * done / total, done, total, per_second, left)
}

function draw(    tail, room, full) {
	tail = text()
	room = width - length(tail) - 5
	if (room > 200)
		room = 200
	full = room > 0 ? int(room * done / total) : 0
	printf "\r[%s%s] %s \033[K", substr(hashes, 1, full), \
		substr(dots, 1, room > 0 ? room - full : 0), tail > "/dev/stderr"
	drawn = 1
}

/^P [0-9]+$/ {
	done = $2
	when[++samples] = now()
	count[samples] = done
	if (tty)
		draw()
	else if (int(10 * done / total) > tenths) {
		tenths = int(10 * done / total)
		print text() > "/dev/stderr"
	}
	next
}

NF {
	if (drawn)
		printf "\r\033[K" > "/dev/stderr"
	print
	fflush()
	if (drawn)
		draw()
}

END {
	if (drawn)
		printf "\n" > "/dev/stderr"
}
