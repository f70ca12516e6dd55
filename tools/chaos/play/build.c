#include "tools/chaos/play/build.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NOTES_SIZE = 4096, ALIGNMENT = 4, ID_MAX = BUILD_TEXT_SIZE / 2 - 1 };

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void write_digits(const unsigned char *id, size_t length, char text[static BUILD_TEXT_SIZE])
{
	for (size_t i = 0; i < length && i < ID_MAX; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/* A note is its header, its owner, and what it says, each aligned. */
static bool find_id(const unsigned char *notes, size_t length, char text[static BUILD_TEXT_SIZE])
{
	ElfW(Nhdr) note;

	for (size_t at = 0; at + sizeof(note) <= length;) {
		size_t owner = at + sizeof(note);
		size_t said;

		memcpy(&note, notes + at, sizeof(note));
		said = owner + aligned(note.n_namesz);
		if (said > length || note.n_descsz > length - said)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(notes + owner, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
			write_digits(notes + said, note.n_descsz, text);
			return true;
		}
		at = said + aligned(note.n_descsz);
	}
	return false;
}

static void read_notes(int fd, char text[static BUILD_TEXT_SIZE])
{
	ElfW(Ehdr) head;
	ElfW(Phdr) part;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		unsigned char notes[NOTES_SIZE];
		ssize_t got;

		if (pread(fd, &part, sizeof(part),
			  (off_t)(head.e_phoff + (uint64_t)i * sizeof(part))) != sizeof(part))
			return;
		if (part.p_type != PT_NOTE || part.p_filesz > sizeof(notes))
			continue;
		got = pread(fd, notes, part.p_filesz, (off_t)part.p_offset);
		if (got > 0 && find_id(notes, (size_t)got, text))
			return;
	}
}

const char *build_of(const char *folder, const char *name, char text[static BUILD_TEXT_SIZE])
{
	char path[PATH_MAX];
	int fd;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		read_notes(fd, text);
		close(fd);
	}
	return text;
}
