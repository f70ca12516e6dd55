#include "agent/host/warden.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { LOW_HALF = 0 };
#else
enum { LOW_HALF = 4 };
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
/* Skips so many instructions when the loaded word is this, else none. */
#define SKIP_IF(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (count), 0)
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (count))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(value))

int warden_enter(struct error *err)
{
	struct sock_filter filter[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		SKIP_UNLESS(SYS_kill, 4),
		LOAD(offsetof(struct seccomp_data, args) + LOW_HALF),
		SKIP_IF(-1, 3),
		SKIP_IF(getppid(), 2),
		SKIP_IF(-getppid(), 1),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot give up privileges");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return 0;
	/* Where the kernel has no filters, an ordinary user's plugins are held back by the kernel's own rules. */
	if (errno == EINVAL && geteuid() != 0)
		return 0;
	return error_set_errno(err, ERROR_FATAL, errno,
			       "cannot restrict the signals that plugins may send");
}
