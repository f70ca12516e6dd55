#include "base/fence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct fence {
	_Atomic int64_t deadline_ms;
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
