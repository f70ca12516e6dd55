#include "base/fence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"

/* Those that leave may still be there while others come. */
enum { PLACES = 2 * LIMIT_AGENTS };

struct place {
	_Atomic int32_t pid; /* 0: free */
	_Atomic uint32_t beats;
};

struct fence {
	_Atomic int64_t deadline_ms;
	_Atomic int64_t life;
	struct place places[PLACES];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the fence needs a lock-free 64-bit word");

static int map_page(struct fence **fence, int fd, struct error *err)
{
	void *page = mmap(NULL, sizeof(struct fence), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot map the fence page");
	*fence = page;
	return 0;
}

int fence_create(struct fence **fence, int *fd, struct error *err)
{
	int page_fd = memfd_create("locum-fence", MFD_CLOEXEC);

	if (page_fd < 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot make the fence page");
	if (ftruncate(page_fd, sizeof(struct fence)) != 0) {
		error_set_errno(err, ERROR_FATAL, errno, "cannot size the fence page");
		goto fail;
	}
	if (map_page(fence, page_fd, err) != 0)
		goto fail;
	fence_set_ms(*fence, FENCE_DOWN);
	*fd = page_fd;
	return 0;
fail:
	close(page_fd);
	return -1;
}

int fence_attach(struct fence **fence, int fd, struct error *err)
{
	int status = map_page(fence, fd, err);

	close(fd);
	return status;
}

void fence_close(struct fence *fence)
{
	if (fence != NULL)
		munmap(fence, sizeof(*fence));
}

void fence_set_ms(struct fence *fence, int64_t deadline_ms)
{
	atomic_store_explicit(&fence->deadline_ms, deadline_ms, memory_order_release);
}

int64_t fence_deadline_ms(const struct fence *fence)
{
	return atomic_load_explicit(&fence->deadline_ms, memory_order_acquire);
}

void fence_end_life(struct fence *fence)
{
	/* In this order: who sees a deadline of the next life sees that there is one. */
	atomic_fetch_add(&fence->life, 1);
	fence_set_ms(fence, FENCE_DOWN);
}

int64_t fence_life(const struct fence *fence)
{
	return atomic_load(&fence->life);
}

int fence_join(struct fence *fence, pid_t pid)
{
	for (int i = 0; i < PLACES; i++) {
		int32_t nobody = 0;

		if (atomic_compare_exchange_strong(&fence->places[i].pid, &nobody, pid))
			return i;
	}
	return -1;
}

void fence_beat(struct fence *fence, int place)
{
	if (place >= 0)
		atomic_fetch_add(&fence->places[place].beats, 1);
}

uint32_t fence_beats(const struct fence *fence, pid_t pid)
{
	for (int i = 0; i < PLACES; i++)
		if (atomic_load(&fence->places[i].pid) == pid)
			return atomic_load(&fence->places[i].beats);
	return 0;
}

void fence_leave(struct fence *fence, pid_t pid)
{
	for (int i = 0; i < PLACES; i++) {
		if (atomic_load(&fence->places[i].pid) != pid)
			continue;
		atomic_store(&fence->places[i].beats, 0);
		atomic_store(&fence->places[i].pid, 0);
	}
}
