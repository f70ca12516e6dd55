#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dispatcher/config_password.h"

static const struct {
	const char *given;
	const char *shown;
} ROWS[] = {
	{ "", "" },
	{ "dbname=app", "dbname=app" },
	{ "password=x dbname=app", "password=**** dbname=app" },
	{ "dbname=app password=x", "dbname=app password=****" },
	{ "password = 'a b\\'c' dbname='my app'", "password = **** dbname='my app'" },
	{ "password='a\\\\' dbname=app", "password=**** dbname=app" },
	{ "password=a\\ b dbname=app", "password=**** dbname=app" },
	{ "password='never closed", "password=****" },
	{ "sslpassword=x passfile=/f", "sslpassword=**** passfile=/f" },
	{ "password= dbname=app", "password= ****" }, /* libpq, too, takes the next word */
	{ "password", "password" },
	{ "  password=x  ", "  password=****  " },
	{ "postgresql://host/db", "postgresql://host/db" },
	{ "postgresql://user@host/db", "postgresql://user@host/db" },
	{ "postgresql://user:x@host:5432/db", "postgresql://user:****@host:5432/db" },
	{ "postgres://user:x:y@z@host/db", "postgres://user:****@host/db" },
	{ "postgresql://user:x/y@host/db", "postgresql://user:****@host/db" },
	{ "postgresql://user:@host/db", "postgresql://user:****@host/db" },
	{ "postgresql://h1:1,h2:2/db", "postgresql://h1:1,h2:2/db" },
	{ "postgresql:///db?user=u&password=x&host=/run",
	  "postgresql:///db?user=u&password=****&host=/run" },
	{ "postgresql://h?password=x", "postgresql://h?password=****" },
	{ "postgresql://h/db?options=a%3Db&sslpassword=x",
	  "postgresql://h/db?options=a%3Db&sslpassword=****" },
	{ "postgresql://h/db?", "postgresql://h/db?" },
	{ "postgresql://", "postgresql://" },
};

static void passwords_are_masked_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		char *shown = config_password_mask(ROWS[i].given);

		assert_string_equal(shown, ROWS[i].shown);
		free(shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords_are_masked_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
