#include "tools/chaos/undo/undo_ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/chaos/stage/process.h"
#include "tools/chaos/undo/undo_thing.h"

#define MARK_NAME "CHAOS_RUN=" /* not LOCUM_…: dispatchers keep those from their agents */

static const char *const WORDS[] = {
	[UNDO_PROCESS] = "process", [UNDO_NAMESPACE] = "namespace", [UNDO_TABLE] = "table",
	[UNDO_LINK] = "link",       [UNDO_MOUNT] = "mount",         [UNDO_CGROUP] = "cgroup",
	[UNDO_FOLDER] = "folder",   [UNDO_SCRATCH] = "scratch",
};

enum { NAME_SIZE = 512 };

static const size_t KINDS = sizeof(WORDS) / sizeof(WORDS[0]);

/* --- lists -------------------------------------------------------------------------------------- */

int undo_ledger_add(struct undo_ledger_list *list, enum undo_kind kind, const char *what,
		    struct error *err)
{
	char *copy = strdup(what);

	if (copy != NULL && list->count == list->room) {
		size_t room = list->room == 0 ? 64 : list->room * 2;
		struct undo_ledger_thing *things = reallocarray(list->things, room,
								sizeof(*things));

		if (things != NULL) {
			list->things = things;
			list->room = room;
		}
	}
	if (copy == NULL || list->count == list->room) {
		free(copy);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	list->things[list->count++] = (struct undo_ledger_thing){ kind, copy };
	return 0;
}

static void drop_at(struct undo_ledger_list *list, size_t place)
{
	free(list->things[place].what);
	list->count--;
	memmove(list->things + place, list->things + place + 1,
		(list->count - place) * sizeof(*list->things));
}

void undo_ledger_drop(struct undo_ledger_list *list, enum undo_kind kind, const char *what)
{
	for (size_t i = list->count; i-- > 0;) {
		if (list->things[i].kind == kind && strcmp(list->things[i].what, what) == 0) {
			drop_at(list, i);
			return;
		}
	}
}

bool undo_ledger_find_process(const struct undo_ledger_list *list, pid_t pid,
			      char what[static UNDO_LEDGER_PROCESS_SIZE])
{
	for (size_t i = list->count; i-- > 0;) {
		const struct undo_ledger_thing *thing = &list->things[i];

		if (thing->kind == UNDO_PROCESS && strtol(thing->what, NULL, 10) == pid) {
			snprintf(what, UNDO_LEDGER_PROCESS_SIZE, "%s", thing->what);
			return true;
		}
	}
	return false;
}

void undo_ledger_free(struct undo_ledger_list *list)
{
	while (list->count > 0)
		drop_at(list, list->count - 1);
	free(list->things);
	*list = (struct undo_ledger_list){ 0 };
}

/* What is frozen cannot be ended. */
int undo_ledger_end(struct undo_ledger_list *list, int ledger, struct error *err)
{
	bool failed = false;
	int count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->things[i].kind == UNDO_CGROUP)
			undo_thing_thaw(list->things[i].what);
	for (size_t i = list->count; i-- > 0;) {
		const struct undo_ledger_thing *thing = &list->things[i];
		int ended = undo_thing_end(thing->kind, thing->what, err);

		if (ended < 0) {
			failed = true;
			continue;
		}
		count += ended;
		undo_ledger_write(ledger, '-', thing->kind, thing->what, NULL);
		drop_at(list, i);
	}
	return failed ? -1 : count;
}

/* --- files -------------------------------------------------------------------------------------- */

/* Where the ledgers are, made if need be; nobody else may write there. */
static int open_folder(char path[static PATH_MAX], struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat status;
	int fd;

	if (geteuid() == 0)
		snprintf(path, PATH_MAX, "/run/locum-chaos");
	else if (runtime != NULL && runtime[0] == '/')
		snprintf(path, PATH_MAX, "%s/locum-chaos", runtime);
	else
		snprintf(path, PATH_MAX, "/tmp/locum-chaos-%u", (unsigned)geteuid());
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open %s", path);
	if (fstat(fd, &status) != 0 || status.st_uid != geteuid() || (status.st_mode & 022) != 0) {
		close(fd);
		return error_set(err, ERROR_FATAL,
				 "%s has to belong to the user who runs this, and to be writable "
				 "for nobody else",
				 path);
	}
	return fd;
}

/* Whether the name still stands for what is open: another harness may have cleaned it up before it was locked. */
static bool is_same(int fd, const char *path)
{
	struct stat own;
	struct stat named;

	return fstat(fd, &own) == 0 && stat(path, &named) == 0 && own.st_ino == named.st_ino &&
	       own.st_dev == named.st_dev;
}

/* A new file named after this process. One of that name may be there still, of a harness that is no more. */
static int create(const char *folder, char path[static PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%d", folder, (int)getpid());
	int fd;

	for (;;) {
		if (length + 1 >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
		path[length++] = '0';
		path[length] = '\0';
	}
}

int undo_ledger_make(char path[static PATH_MAX], char mark[static UNDO_LEDGER_MARK_SIZE],
		     struct error *err)
{
	char folder[PATH_MAX];
	int directory = open_folder(folder, err);
	int fd = -1;

	if (directory < 0)
		return -1;
	close(directory);
	do {
		if (fd >= 0)
			close(fd);
		fd = create(folder, path);
		if (fd < 0 || flock(fd, LOCK_EX) != 0)
			return error_set_errno(err, ERROR_FATAL, errno, "cannot lock %s", path);
	} while (!is_same(fd, path));
	snprintf(mark, UNDO_LEDGER_MARK_SIZE, MARK_NAME "%d.%llu", (int)getpid(),
		 (unsigned long long)process_began(getpid()));
	dprintf(fd, "%s\n", mark);
	return fd;
}

int undo_ledger_write(int ledger, char sign, enum undo_kind kind, const char *what,
		      struct error *err)
{
	char *line = NULL;
	int length = asprintf(&line, "%c %s %s\n", sign, WORDS[kind], what);
	ssize_t written = length < 0 ? -1 : write(ledger, line, (size_t)length);

	if (length >= 0)
		free(line);
	return written == length && length > 0
		       ? 0
		       : error_set_errno(err, ERROR_FATAL, errno,
					 "cannot note what has to be undone");
}

/* --- after harnesses that are no more ----------------------------------------------------------- */

static int read_line(struct undo_ledger_list *list, const char *line, struct error *err)
{
	const char *word = line + 2;
	size_t length = strcspn(word, " ");

	for (size_t i = 0; i < KINDS; i++) {
		enum undo_kind kind = (enum undo_kind)i;

		if (strlen(WORDS[i]) != length || strncmp(word, WORDS[i], length) != 0)
			continue;
		if (line[0] == '+')
			return undo_ledger_add(list, kind, word + length + 1, err);
		undo_ledger_drop(list, kind, word + length + 1);
	}
	return 0;
}

static int read_list(FILE *file, struct undo_ledger_list *list,
		     char mark[static UNDO_LEDGER_MARK_SIZE], struct error *err)
{
	char *line = NULL;
	size_t room = 0;
	int status = 0;

	mark[0] = '\0';
	while (status == 0 && getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, MARK_NAME, strlen(MARK_NAME)) == 0)
			snprintf(mark, UNDO_LEDGER_MARK_SIZE, "%s", line);
		else if (strlen(line) > 2)
			status = read_line(list, line, err);
	}
	free(line);
	return status;
}

/* In words. A connection string may have a password in it. */
static void name_thing(const struct undo_ledger_thing *thing, char *text, size_t size)
{
	if (thing->kind == UNDO_SCRATCH)
		undo_thing_name_database(thing->what, text, size);
	else
		snprintf(text, size, "%s %s", WORDS[thing->kind], thing->what);
}

/* What is in the way of this run may be gone when the next one begins: it stays noted until then. */
static void tell_left(const struct undo_ledger_list *list, const char *path, struct error *left)
{
	char name[NAME_SIZE] = "processes";
	char more[32] = "";

	if (list->count > 0)
		name_thing(&list->things[0], name, sizeof(name));
	if (list->count > 1)
		snprintf(more, sizeof(more), " and %zu more", list->count - 1);
	error_prefix(
		left,
		"what a run that was killed left cannot be undone yet: %s%s; each later run tries "
		"again until %s is removed by hand, and of a database the schema locum_chaos and "
		"the replication slot of that name",
		name, more, path);
}

/* One whose owner is no more: it is locked here now. */
static int clean_one(int fd, const char *path, struct error *left, struct error *err)
{
	struct undo_ledger_list list = { 0 };
	struct error why = { .kind = ERROR_NONE };
	char mark[UNDO_LEDGER_MARK_SIZE];
	FILE *file = fdopen(dup(fd), "re");
	int count;
	int marked = 0;

	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot read %s", path);
	if (read_list(file, &list, mark, err) != 0) {
		fclose(file);
		undo_ledger_free(&list);
		return -1;
	}
	fclose(file);
	count = undo_ledger_end(&list, fd, &why);
	if (mark[0] != '\0')
		marked = undo_thing_kill_marked(mark, &why);
	if (count < 0 || marked < 0) {
		tell_left(&list, path, &why);
		*left = why;
	} else {
		unlink(path);
	}
	undo_ledger_free(&list);
	return (count < 0 ? 0 : count) + (marked < 0 ? 0 : marked);
}

int undo_ledger_clean(struct error *left, struct error *err)
{
	char folder[PATH_MAX];
	int directory = open_folder(folder, err);
	const struct dirent *entry;
	int count = 0;
	DIR *names;

	if (directory < 0)
		return -1;
	names = fdopendir(directory);
	while (names != NULL && count >= 0 && (entry = readdir(names)) != NULL) {
		char path[PATH_MAX + sizeof(entry->d_name)];
		int cleaned = 0;
		int fd;

		if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same(fd, path))
			cleaned = clean_one(fd, path, left, err);
		if (fd >= 0)
			close(fd);
		count = cleaned < 0 ? -1 : count + cleaned;
	}
	if (names != NULL)
		closedir(names);
	return count;
}
