#include "tools/chaos/stage/stage_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uuid.h"
#include "tools/chaos/stage/order.h"

enum { PIECE = 1 << 20, FILE_MODE = 0666 };

static const char *const SUPPORT[] = { "witness", "witness.so", "skew.so" };
static const size_t SUPPORT_COUNT = sizeof(SUPPORT) / sizeof(SUPPORT[0]);

static int make_folder(const char *path, struct error *err)
{
	if (mkdir(path, 0755) != 0 || chmod(path, 0755) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", path);
	return 0;
}

static int copy_all(int from, int to)
{
	ssize_t more;

	while ((more = sendfile(to, from, NULL, PIECE)) > 0)
		continue;
	return more == 0 ? 0 : -1;
}

/* In place of what is there. */
static int copy_file(const char *from, const char *to, mode_t mode, struct error *err)
{
	int source = open(from, O_RDONLY | O_CLOEXEC);
	int target = source < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int status = -1;

	if (target >= 0 && fchmod(target, mode) == 0)
		status = copy_all(source, target);
	if (status != 0)
		error_set_errno(err, ERROR_FATAL, errno, "cannot copy %s to %s", from, to);
	if (target >= 0)
		close(target);
	if (source >= 0)
		close(source);
	return status;
}

/* Beside the programs where they were built, below lib where they are installed. */
static int copy_support(const struct stage *stage, const char *name, struct error *err)
{
	char from[PATH_MAX];
	char to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/../harness/%s", stage->programs, name);
	if (access(from, R_OK) != 0)
		snprintf(from, sizeof(from), "%s/../lib/locum/chaos/%s", stage->programs, name);
	return copy_file(from, stage_support(stage, name, to, sizeof(to)), 0755, err);
}

static void effect_paths(const struct stage *stage, char kept[static PATH_MAX],
			 char used[static PATH_MAX])
{
	snprintf(kept, PATH_MAX, "%s/effect.log", stage->folder);
	snprintf(used, PATH_MAX, "%s/effect.log", stage->scratch);
}

/* Handlers of any user write it through the scratch folder, for they may not reach FOLDER: one file with two names, or
 * a copy in the end where that cannot be. */
static int make_effects(const struct stage *stage, struct error *err)
{
	char kept[PATH_MAX];
	char used[PATH_MAX];
	int fd;

	effect_paths(stage, kept, used);
	fd = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (fd >= 0 && fchmod(fd, FILE_MODE) == 0 && link(kept, used) != 0 && errno == EXDEV) {
		close(fd);
		fd = open(used, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
		if (fd >= 0)
			fchmod(fd, FILE_MODE);
	}
	if (fd < 0 || access(used, W_OK) != 0) {
		error_set_errno(err, ERROR_FATAL, errno, "cannot make %s", used);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

int stage_folder_make(struct stage *stage, struct error *err)
{
	char text[UUID_TEXT_SIZE];
	char path[PATH_MAX];

	if (asprintf(&stage->scratch, "/tmp/locum-chaos-%.13s", uuid_text(uuid_make(), text)) < 0) {
		stage->scratch = NULL;
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	if (undo_add(stage->undo, UNDO_FOLDER, stage->scratch, err) != 0 ||
	    make_folder(stage->scratch, err) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/support", stage->scratch);
	if (make_folder(path, err) != 0)
		return -1;
	for (size_t i = 0; i < SUPPORT_COUNT; i++)
		if (copy_support(stage, SUPPORT[i], err) != 0)
			return -1;
	snprintf(path, sizeof(path), "%s/logs", stage->folder);
	if (make_folder(path, err) != 0 || order_open(stage, err) != 0)
		return -1;
	return make_effects(stage, err);
}

int stage_folder_limit(struct stage *stage, int64_t bytes, struct error *err)
{
	char path[PATH_MAX];
	char options[64];

	snprintf(path, sizeof(path), "%s/server", stage->scratch);
	snprintf(options, sizeof(options), "size=%lld,mode=0755", (long long)bytes);
	if (make_folder(path, err) != 0 || undo_add(stage->undo, UNDO_MOUNT, path, err) != 0)
		return -1;
	if (mount("locum-chaos", path, "tmpfs", 0, options) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot mount a disk on %s", path);
	return 0;
}

int stage_folder_write_clock(const char *folder, int seconds, int fast, struct error *err)
{
	const int clock[] = { seconds, fast };
	char path[PATH_MAX];
	int fd;
	bool written;

	snprintf(path, sizeof(path), "%s/clock", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	written = fd >= 0 && pwrite(fd, clock, sizeof(clock), 0) == sizeof(clock);
	if (!written)
		error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	if (fd >= 0)
		close(fd);
	return written ? 0 : -1;
}

/* The disk of a server, if it has one. */
static int unmount(struct stage *stage, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/server", stage->scratch);
	return stage->kind == STAGE_DISK ? undo_now(stage->undo, UNDO_MOUNT, path, err) : 0;
}

int stage_folder_remove(struct stage *stage, struct error *err)
{
	char kept[PATH_MAX];
	char used[PATH_MAX];
	struct stat one;
	struct stat other;

	if (stage->scratch == NULL)
		return 0;
	effect_paths(stage, kept, used);
	if (stat(used, &one) == 0 && stat(kept, &other) == 0 &&
	    (one.st_ino != other.st_ino || one.st_dev != other.st_dev) &&
	    copy_file(used, kept, 0644, err) != 0)
		return -1;
	if (unmount(stage, err) != 0)
		return -1;
	return undo_now(stage->undo, UNDO_FOLDER, stage->scratch, err);
}
