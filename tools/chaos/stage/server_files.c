#include "tools/chaos/stage/server_files.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

static void put_settings(FILE *file, const struct server_terms *terms)
{
	fprintf(file,
		"\n# Set by locum-chaos.\n"
		"listen_addresses = ''\n"
		"unix_socket_directories = '%s'\n"
		"port = %d\n"
		"max_connections = %d\n"
		"wal_level = logical\n"
		"max_wal_senders = 10\n"
		"max_replication_slots = 10\n"
		"shared_buffers = 128MB\n"
		"max_wal_size = 4GB\n"
		"autovacuum_naptime = 10s\n"
		"log_line_prefix = '%%m [%%p] %%a '\n"
		"%s",
		terms->folder, terms->port, terms->connections, terms->settings);
}

static void put_access(FILE *file, const struct server_terms *terms)
{
	fprintf(file,
		"local all all peer map=chaos\n"
		"local replication all peer map=chaos\n"
		"%s",
		terms->access);
}

/* Handlers run as nobody when root runs the harness, and the server as postgres. */
static void put_users(FILE *file, const struct server_terms *terms)
{
	const struct passwd *user = getpwuid(geteuid());

	(void)terms;
	fprintf(file, "chaos \"%s\" postgres\n", user == NULL ? "root" : user->pw_name);
	if (geteuid() == 0)
		fputs("chaos postgres postgres\n"
		      "chaos nobody postgres\n",
		      file);
}

static int write_file(const char *data, const char *name, const char *mode,
		      const struct server_terms *terms,
		      void (*put)(FILE *file, const struct server_terms *terms), struct error *err)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", data, name);
	file = fopen(path, mode);
	if (file == NULL)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	put(file, terms);
	if (fclose(file) != 0)
		return error_set_errno(err, ERROR_FATAL, errno, "cannot write %s", path);
	return 0;
}

int server_files_write(const char *data, const struct server_terms *terms, struct error *err)
{
	if (write_file(data, "postgresql.conf", "ae", terms, put_settings, err) != 0 ||
	    write_file(data, "pg_hba.conf", "we", terms, put_access, err) != 0)
		return -1;
	return write_file(data, "pg_ident.conf", "we", terms, put_users, err);
}
