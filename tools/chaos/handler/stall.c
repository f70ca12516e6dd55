#include "tools/chaos/handler/stall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NODE = 2, FILE_BYTES = 4096, VALID_S = 60, REQUEST_BYTES = 256 * 1024, MINOR = 31 };

/* An answer; body may be NULL. */
static void answer(int fd, const struct fuse_in_header *to, int error, const void *body,
		   size_t length)
{
	struct {
		struct fuse_out_header head;
		char body[512];
	} out = { .head = { .error = -error, .unique = to->unique } };

	if (error != 0)
		length = 0;
	out.head.len = (uint32_t)(sizeof(out.head) + length);
	if (length > 0)
		memcpy(out.body, body, length);
	if (write(fd, &out, out.head.len) < 0 && errno != ENOENT)
		perror("stall");
}

static struct fuse_attr attributes(uint64_t node)
{
	struct fuse_attr attr = { .ino = node, .nlink = 1, .blksize = FILE_BYTES };

	attr.mode = node == FILE_NODE ? S_IFREG | 0444 : S_IFDIR | 0555;
	attr.size = node == FILE_NODE ? FILE_BYTES : 0;
	return attr;
}

static void take_init(int fd, const struct fuse_in_header *in)
{
	const struct fuse_init_in *init = (const void *)(in + 1);
	struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .max_write = FILE_BYTES };

	out.minor = init->minor < MINOR ? init->minor : MINOR;
	answer(fd, in, 0, &out, sizeof(out));
}

/* Every name is that of the file. */
static void take_lookup(int fd, const struct fuse_in_header *in)
{
	struct fuse_entry_out out = { .nodeid = FILE_NODE,
				      .entry_valid = VALID_S,
				      .attr_valid = VALID_S,
				      .attr = attributes(FILE_NODE) };

	answer(fd, in, 0, &out, sizeof(out));
}

static void take_getattr(int fd, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = VALID_S, .attr = attributes(in->nodeid) };

	answer(fd, in, 0, &out, sizeof(out));
}

static void take(int fd, const struct fuse_in_header *in)
{
	struct fuse_open_out open = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };
	struct fuse_statfs_out about = { .st = { .bsize = FILE_BYTES, .namelen = NAME_MAX } };

	switch (in->opcode) {
	case FUSE_INIT:
		take_init(fd, in);
		break;
	case FUSE_LOOKUP:
		take_lookup(fd, in);
		break;
	case FUSE_GETATTR:
		take_getattr(fd, in);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(fd, in, 0, &open, sizeof(open));
		break;
	case FUSE_STATFS:
		answer(fd, in, 0, &about, sizeof(about));
		break;
	case FUSE_READ: /* the one that is never answered */
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fd, in, ENOSYS, NULL, 0);
		break;
	}
}

static int serve(int fd, struct error *err)
{
	char *request = malloc(REQUEST_BYTES);
	ssize_t length = 0;

	if (request == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	do {
		length = read(fd, request, REQUEST_BYTES);
		if (length >= (ssize_t)sizeof(struct fuse_in_header))
			take(fd, (const void *)request);
	} while (length > 0 || (length < 0 && (errno == EINTR || errno == ENOENT)));
	free(request);
	return 0;
}

int stall_serve(const char *folder, struct error *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];
	int status;

	if (fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot open /dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 fd);
	if (mount("stall", folder, "fuse", MS_NODEV | MS_NOSUID, options) != 0)
		status = error_set_errno(err, ERROR_FATAL, errno, "cannot mount %s", folder);
	else
		status = serve(fd, err);
	close(fd);
	return status;
}
