#include "agent/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/probe.h"

/*
 * The child runs in the agent's memory. It calls the kernel directly: the library's wrappers for users
 * and signals also change what the agent itself knows. Sanitizers must leave it alone for the same
 * reason: it never returns from its functions.
 */
#if defined(__has_attribute) && __has_attribute(disable_sanitizer_instrumentation)
#define IN_CHILD __attribute__((disable_sanitizer_instrumentation, noinline))
#else
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread"), noinline))
#endif

/* STEP(constant, what could not be done) */
#define SHIM_STEPS(X)                                                                              \
	X(GROUP, "cannot enter the control group of")                                              \
	X(SESSION, "cannot start a session for")                                                   \
	X(DESCRIPTORS, "cannot set up the descriptors of")                                         \
	X(LIMITS, "cannot set the limits of")                                                      \
	X(USER, "cannot change the user of")                                                       \
	X(DIRECTORY, "cannot change to the directory of")                                          \
	X(PRIVILEGES, "cannot drop the privileges of")                                             \
	X(PARENT, "the agent died at the start of")                                                \
	X(SIGNALS, "cannot reset the signals of")                                                  \
	X(EXECUTE, "cannot execute")

enum step {
#define STEP_ENUM(constant, text) STEP_##constant,
	SHIM_STEPS(STEP_ENUM)
#undef STEP_ENUM
};

static const char *const STEP_TEXTS[] = {
#define STEP_TEXT(constant, text) [STEP_##constant] = text,
	SHIM_STEPS(STEP_TEXT)
#undef STEP_TEXT
};

enum { THIRD_FD = 3, FOURTH_FD = 4 };
enum { KERNEL_SIGSET_BYTES = 8, KERNEL_SIGACTION_BYTES = 64, KERNEL_SIGNALS = 64 };

#ifdef SYS_setresuid32
enum { SETGROUPS = SYS_setgroups32, SETRESGID = SYS_setresgid32, SETRESUID = SYS_setresuid32 };
#else
enum { SETGROUPS = SYS_setgroups, SETRESGID = SYS_setresgid, SETRESUID = SYS_setresuid };
#endif

/* clone(2) by the library's other name for it: what a sanitizer puts in the place of clone() prepares the
 * child for memory of its own, and would do so to the agent's. */
extern int __clone(int (*start)(void *), void *stack, int flags, void *context, ...);

/* Shared by the child and the agent, which stands still meanwhile. */
struct birth {
	const struct shim *shim;
	const struct shim_plan *plan;
	volatile enum step step;
	volatile int error; /* errno of the step that failed, or 0 */
};

int shim_open(struct shim *shim, struct error *err)
{
	struct rlimit most;

	*shim = (struct shim){ .self = getpid() };
	if (getrlimit(RLIMIT_NOFILE, &shim->files) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot read the limit of files");
	most = shim->files;
	most.rlim_cur = most.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &most) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot raise the limit of files");
	shim->stack = mmap(NULL, SHIM_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (shim->stack == MAP_FAILED)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make the shim's stack");
	return 0;
}

void shim_close(struct shim *shim)
{
	munmap(shim->stack, SHIM_STACK_BYTES);
	shim->stack = NULL;
}

/* --- in the child ------------------------------------------------------------------------------ */

IN_CHILD static bool set_descriptors(const struct shim_plan *plan)
{
	return syscall(SYS_dup3, plan->input, 0, 0) >= 0 &&
	       syscall(SYS_dup3, plan->output, 1, 0) >= 0 &&
	       syscall(SYS_dup3, plan->output, 2, 0) >= 0 &&
	       syscall(SYS_dup3, plan->third, THIRD_FD, 0) >= 0 &&
	       (plan->fourth < 0 || syscall(SYS_dup3, plan->fourth, FOURTH_FD, 0) >= 0) &&
	       syscall(SYS_close_range, plan->fourth < 0 ? FOURTH_FD : FOURTH_FD + 1, UINT_MAX,
		       0) == 0;
}

/* Takes a soft and a hard limit; -1 leaves the limit as it is. */
IN_CHILD static bool set_limit(int resource, int64_t soft, int64_t hard)
{
	struct rlimit64 limit;

	if (soft < 0)
		return true;
	limit.rlim_cur = (rlim64_t)soft;
	limit.rlim_max = (rlim64_t)hard;
	return syscall(SYS_prlimit64, 0, resource, &limit, NULL) == 0;
}

IN_CHILD static bool set_files(const struct shim *shim, int64_t files)
{
	struct rlimit64 limit;

	if (files >= 0)
		return set_limit(RLIMIT_NOFILE, files, files);
	limit.rlim_cur = shim->files.rlim_cur;
	limit.rlim_max = shim->files.rlim_max;
	return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL) == 0;
}

IN_CHILD static bool set_limits(const struct shim *shim, const struct handler_limits *limits)
{
	return set_limit(RLIMIT_CORE, 0, 0) &&
	       set_limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes) &&
	       set_files(shim, limits->files) &&
	       set_limit(RLIMIT_NPROC, limits->processes, limits->processes) &&
	       set_limit(RLIMIT_CPU, limits->cpu_s, limits->cpu_s) &&
	       set_limit(RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes);
}

IN_CHILD static bool set_user(const struct program *program)
{
	if (!program->switches_user)
		return true;
	return syscall(SETGROUPS, program->group_count, program->groups) == 0 &&
	       syscall(SETRESGID, program->gid, program->gid, program->gid) == 0 &&
	       syscall(SETRESUID, program->uid, program->uid, program->uid) == 0;
}

/* A change of user clears the parent-death signal, so it is set after it; the agent may have died
 * before that. */
IN_CHILD static bool set_parent(const struct shim *shim)
{
	if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return false;
	return syscall(SYS_getppid) == shim->self;
}

/* All that is ignored, and by a program started by hand that may be anything, is the default again. */
IN_CHILD static bool reset_signals(void)
{
	uint64_t action[KERNEL_SIGACTION_BYTES / sizeof(uint64_t)] = { 0 };
	uint64_t none = 0;

	for (int number = 1; number <= KERNEL_SIGNALS; number++) {
		if (number != SIGKILL && number != SIGSTOP)
			syscall(SYS_rt_sigaction, number, action, NULL, KERNEL_SIGSET_BYTES);
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_BYTES) == 0;
}

IN_CHILD static bool take_step(const struct birth *birth, enum step step)
{
	const struct program *program = birth->plan->program;
	const struct handler *handler = program->handler;

	switch (step) {
	case STEP_GROUP:
		return birth->plan->group < 0 ||
		       syscall(SYS_write, birth->plan->group, "0", 1) == 1;
	case STEP_SESSION:
		syscall(SYS_umask, 077);
		return syscall(SYS_setsid) >= 0;
	case STEP_DESCRIPTORS:
		return set_descriptors(birth->plan);
	case STEP_LIMITS:
		return set_limits(birth->shim, &birth->plan->limits);
	case STEP_USER:
		return set_user(program);
	case STEP_DIRECTORY:
		return syscall(SYS_chdir, handler->directory == NULL ? "/" : handler->directory) ==
		       0;
	case STEP_PRIVILEGES:
		return syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	case STEP_PARENT:
		return set_parent(birth->shim);
	case STEP_SIGNALS:
		return reset_signals();
	case STEP_EXECUTE:
		syscall(SYS_execve, handler->argv[0], handler->argv, birth->plan->environment);
		break;
	}
	return false;
}

IN_CHILD static int be_born(void *context)
{
	struct birth *birth = context;

	for (enum step step = STEP_GROUP; step <= STEP_EXECUTE; step++) {
		errno = ECHILD; /* for a step that fails without a word of the kernel */
		birth->step = step;
		if (!take_step(birth, step))
			break;
	}
	birth->error = errno;
	syscall(SYS_exit_group, 126);
	return 0;
}

/* --- in the agent ------------------------------------------------------------------------------ */

static bool is_shortage(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
	       error == ETXTBSY;
}

static pid_t explain(const struct birth *birth, struct error *err)
{
	const struct handler *handler = birth->plan->program->handler;
	bool may_pass = birth->step == STEP_GROUP || is_shortage(birth->error);
	enum error_kind kind = may_pass ? ERROR_RETRY : ERROR_INPUT;

	if (birth->step == STEP_DIRECTORY)
		return error_set_errno(err, kind, birth->error, "%s %s, %s",
				       STEP_TEXTS[birth->step], handler->argv[0],
				       handler->directory);
	return error_set_errno(err, kind, birth->error, "%s %s", STEP_TEXTS[birth->step],
			       handler->argv[0]);
}

pid_t shim_spawn(const struct shim *shim, const struct shim_plan *plan, struct error *err)
{
	struct birth birth = { .shim = shim, .plan = plan };
	pid_t pid;

	PROBE(run_begins);
	pid = __clone(be_born, shim->stack + SHIM_STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD,
		      &birth);
	if (pid < 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a process");
	PROBE(run_begun);
	if (birth.error == 0)
		return pid;
	waitid(P_PID, (id_t)pid, NULL, WEXITED);
	return explain(&birth, err);
}
