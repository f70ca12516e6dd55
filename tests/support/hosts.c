#include "tests/support/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *plugins(void)
{
	static char path[512];
	const char *directory = getenv("LOCUM_TEST_BIN");
	char own[256] = "";
	char *end;

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	end = strstr(own, "/tests/");
	if (end != NULL)
		*end = '\0';
	if (directory != NULL)
		snprintf(path, sizeof(path), "%s/../plugins", directory);
	else
		snprintf(path, sizeof(path), "%s/plugins", own);
	return path;
}

static void add_section(struct scenario *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_section(struct scenario *s, const char *format, ...)
{
	size_t used = strlen(s->handlers);
	va_list list;

	va_start(list, format);
	vsnprintf(s->handlers + used, sizeof(s->handlers) - used, format, list);
	va_end(list);
}

void hosts_plugin(struct scenario *s, const char *symbol, const char *settings)
{
	add_section(
		s,
		"handler \"%s\" { kind = \"plugin\" path = \"%s/deeds.so\" symbol = \"%s\" %s }\n",
		symbol, plugins(), symbol, settings);
}

void hosts_function(struct scenario *s, const char *name, const char *function)
{
	add_section(s, "handler \"%s\" { kind = \"sql\" function = \"%s\" }\n", name, function);
}

size_t hosts_find(pid_t agent, pid_t *pids)
{
	char path[64];
	char name[32];
	size_t count = 0;
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", agent, agent);
	children = fopen(path, "re");
	while (children != NULL && count < HOSTS_MAX && fscanf(children, "%d", &pid) == 1) {
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		comm = fopen(path, "re");
		if (comm == NULL)
			continue;
		if (fgets(name, sizeof(name), comm) != NULL && strcmp(name, "locum-host\n") == 0)
			pids[count++] = (pid_t)pid;
		fclose(comm);
	}
	if (children != NULL)
		fclose(children);
	return count;
}
