/* What a connection string says about hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/hosts.h"

/* "HOST ADDRESS PORT" of each place, with "-" for what is not said, "|" between. */
static void assert_places(const char *conninfo, const char *expected)
{
	struct error err = { .kind = ERROR_NONE };
	struct hosts hosts;
	char said[256] = "";

	if (hosts_read(&hosts, conninfo, &err) != 0)
		fail_msg("%s", err.text);
	for (int i = 0; i < hosts.count; i++) {
		char *host = hosts_item(hosts.names, i);
		char *address = hosts_item(hosts.addresses, i);
		char *port = hosts_item(hosts.ports, i);
		size_t used = strlen(said);

		snprintf(said + used, sizeof(said) - used, "%s%s %s %s", i == 0 ? "" : "|",
			 host == NULL ? "-" : host, address == NULL ? "-" : address,
			 port == NULL ? "-" : port);
		free(host);
		free(address);
		free(port);
	}
	assert_string_equal(said, expected);
	hosts_fini(&hosts);
}

static void each_of_several_hosts_has_its_port(void **state)
{
	(void)state;
	assert_places("host=a,b,c port=1,2,3", "a - 1|b - 2|c - 3");
	assert_places("host=a,b port=7", "a - 7|b - 7");
	assert_places("postgresql://a:1,b:2/app", "a - 1|b - 2");
	assert_places("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=7", "a 10.0.0.1 7|b 10.0.0.2 7");
	assert_places("hostaddr=10.0.0.1,10.0.0.2 port=7", "- 10.0.0.1 7|- 10.0.0.2 7");
	assert_places("host=/tmp port=7", "/tmp - 7");
}

static void hosts_come_from_the_environment_and_from_services_too(void **state)
{
	char path[] = "/tmp/locum-service.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	(void)state;
	assert_non_null(file);
	fputs("[there]\nhost=c,d\nport=3\n", file);
	fclose(file);
	setenv("PGHOST", "a,b", 1);
	setenv("PGPORT", "1,2", 1);
	setenv("PGSERVICEFILE", path, 1);
	assert_places("dbname=app", "a - 1|b - 2");
	assert_places("app", "a - 1|b - 2");
	assert_places("service=there", "c - 3|d - 3");
	unsetenv("PGHOST");
	unsetenv("PGPORT");
	unsetenv("PGSERVICEFILE");
	unlink(path);
}

static void what_libpq_alone_understands_is_left_to_it(void **state)
{
	(void)state;
	assert_places("host=a,b,c port=1,2", "");
	assert_places("host=a,b hostaddr=10.0.0.1", "");
	assert_places("host=a,b target_session_attrs=prefer-standby", "");
}

static void the_host_that_answered_last_goes_first_and_all_have_their_turn(void **state)
{
	static const int ORDERS[][4] = {
		{ -1, 0, 1, 2 }, { 0, 0, 1, 2 }, { 1, 1, 0, 2 }, { 2, 2, 0, 1 }, { 3, 0, 1, 2 },
	};
	const struct hosts hosts = { .count = 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++)
		for (int nth = 0; nth < 3; nth++)
			assert_int_equal(hosts_nth(&hosts, ORDERS[i][0], nth), ORDERS[i][nth + 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_several_hosts_has_its_port),
		cmocka_unit_test(hosts_come_from_the_environment_and_from_services_too),
		cmocka_unit_test(what_libpq_alone_understands_is_left_to_it),
		cmocka_unit_test(the_host_that_answered_last_goes_first_and_all_have_their_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
