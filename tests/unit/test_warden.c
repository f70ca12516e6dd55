/* What the warden of a plugin host refuses. Only signal 0 is sent: where nothing refuses it, nobody is harmed. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/warden.h"

enum { NOBODY = 65534, WORD = 8 };

/* Runs a check in a process of its own. Returns its exit code. */
static int in_child(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(check());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool is_refused(pid_t victims)
{
	return kill(victims, 0) != 0 && errno == EPERM;
}

static int send_signals(void)
{
	if (warden_enter(NULL) != 0)
		return 1;
	if (!is_refused(-1) || !is_refused(getppid()) || !is_refused(-getppid()))
		return 2;
	return kill(getpid(), 0) == 0 ? 0 : 3;
}

/* From now on the kernel is one without filters. */
static void take_filters_away(void)
{
	enum { LOW_HALF = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : WORD / 2 };
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + LOW_HALF),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int enter_as_root(void)
{
	take_filters_away();
	return warden_enter(NULL) == 0 ? 1 : 0;
}

static int enter_as_nobody(void)
{
	take_filters_away();
	if (setresuid(NOBODY, NOBODY, NOBODY) != 0)
		return 2;
	return warden_enter(NULL) == 0 ? 0 : 1;
}

static void signals_to_everybody_and_to_the_parent_are_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(send_signals), 0);
}

static void root_runs_no_plugins_where_signals_cannot_be_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(enter_as_root), 0);
	assert_int_equal(in_child(enter_as_nobody), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_to_everybody_and_to_the_parent_are_refused),
		cmocka_unit_test(root_runs_no_plugins_where_signals_cannot_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
