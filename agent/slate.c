#include "agent/slate.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct slate {
	_Atomic int64_t limit_ms; /* the agent's; all else is the host's */
	_Atomic uint64_t begun;
	_Atomic uint64_t ended;
	_Atomic int64_t begun_ms;
	_Atomic uint64_t progress;
};

static int map(struct slate **slate, int fd, struct error *err)
{
	void *page = mmap(NULL, sizeof(struct slate), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot map the slate");
	*slate = page;
	return 0;
}

int slate_create(struct slate **slate, int *fd, struct error *err)
{
	int made = memfd_create("locum-slate", MFD_CLOEXEC);

	if (made < 0)
		return error_set_errno(err, ERROR_RETRY, errno, "cannot make a slate");
	if (ftruncate(made, sizeof(struct slate)) != 0) {
		error_set_errno(err, ERROR_RETRY, errno, "cannot size a slate");
		close(made);
		return -1;
	}
	if (map(slate, made, err) != 0) {
		close(made);
		return -1;
	}
	*fd = made;
	return 0;
}

int slate_attach(struct slate **slate, int fd, struct error *err)
{
	if (map(slate, fd, err) != 0)
		return -1;
	close(fd);
	return 0;
}

void slate_close(struct slate *slate)
{
	if (slate != NULL)
		munmap(slate, sizeof(struct slate));
}

void slate_set_limit_ms(struct slate *slate, int64_t limit_ms)
{
	atomic_store_explicit(&slate->limit_ms, limit_ms, memory_order_relaxed);
}

int64_t slate_limit_ms(const struct slate *slate)
{
	return atomic_load_explicit(&slate->limit_ms, memory_order_relaxed);
}

void slate_begin(struct slate *slate, uint64_t number, int64_t now_ms)
{
	atomic_store_explicit(&slate->begun_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&slate->begun, number, memory_order_release);
}

void slate_end(struct slate *slate, uint64_t number)
{
	atomic_store_explicit(&slate->ended, number, memory_order_release);
}

void slate_progress(struct slate *slate)
{
	atomic_fetch_add_explicit(&slate->progress, 1, memory_order_relaxed);
}

struct slate_view slate_read(const struct slate *slate)
{
	struct slate_view view;
	uint64_t ended = atomic_load_explicit(&slate->ended, memory_order_acquire);

	view.begun = atomic_load_explicit(&slate->begun, memory_order_acquire);
	view.running = view.begun > ended;
	view.begun_ms = atomic_load_explicit(&slate->begun_ms, memory_order_relaxed);
	view.progress = atomic_load_explicit(&slate->progress, memory_order_relaxed);
	return view;
}
