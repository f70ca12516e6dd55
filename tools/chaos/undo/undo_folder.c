#include "tools/chaos/undo/undo_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>

enum { FOLDERS_OPEN = 16, SHARED_MEMORY_LINE = 7, LINE_SIZE = 1024, TRIES = 20 };

/* A server that was killed leaves a segment that its next start would remove; there is none. One that is in use
 * belongs to somebody else by now. */
static void remove_shared_memory(const char *pid_file)
{
	FILE *file = fopen(pid_file, "re");
	struct shmid_ds segment;
	char line[LINE_SIZE] = "";
	unsigned long key;
	int id;

	for (int i = 0; file != NULL && i < SHARED_MEMORY_LINE; i++)
		if (fgets(line, sizeof(line), file) == NULL)
			line[0] = '\0';
	if (file != NULL)
		fclose(file);
	if (sscanf(line, "%lu %d", &key, &id) == 2 && shmctl(id, IPC_STAT, &segment) == 0 &&
	    (unsigned long)(unsigned)segment.shm_perm.__key == key && segment.shm_nattch == 0)
		shmctl(id, IPC_RMID, NULL);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	if (type == FTW_F && strcmp(path + walk->base, "postmaster.pid") == 0)
		remove_shared_memory(path);
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

/* A process that ends may still write a file into it meanwhile. */
int undo_folder(const char *path, struct error *err)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return 0;
	for (int i = 0; i < TRIES; i++)
		if (nftw(path, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
		    errno != ENOTEMPTY)
			break;
	if (lstat(path, &status) == 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot remove the folder %s",
				       path);
	return 1;
}
