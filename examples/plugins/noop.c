/* A plugin that does nothing: what a job costs without its work. */
#include <locum.h>

int noop(struct locum_job *job);

int noop(struct locum_job *job)
{
	(void)job;
	return LOCUM_DONE;
}
