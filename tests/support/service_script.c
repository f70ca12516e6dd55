#include "tests/support/service_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CONCURRENCY = 100 };

static const char BEFORE[] =
	"say() { printf '%s\\n' \"$1\" >&4; }\n"
	"result() { say '{\"jsonrpc\":\"2.0\",\"id\":'\"$id\"',\"result\":'\"$1\"'}'; }\n"
	"error() { say '{\"jsonrpc\":\"2.0\",\"id\":'\"$id\"',\"error\":{\"code\":1,\"message\":\"'\"$1\"'\"'"
	"\"${2:+,\\\"data\\\":$2}\"'}}'; }\n"
	"notify() { say '{\"jsonrpc\":\"2.0\",\"method\":\"'\"$1\"'\",\"params\":'\"$2\"'}'; }\n"
	"hear() { echo \"$1\" > $FIFO; }\n"
	"ready() { result '{\"name\":\"test\",\"version\":\"1\"}'; }\n"
	"run() { result '{}'; }\n"
	"ping() { result '{}'; }\n"
	"cancel() { :; }\n"
	"stop() { :; }\n"
	"finish() { :; }\n";

static const char AFTER[] = "\nwhile IFS= read -r order <&3; do\n"
			    "method=${order#*'\"method\":\"'}\n"
			    "method=${method%%'\"'*}\n"
			    "id=${order#*'\"id\":'}\n"
			    "id=${id%%[,\\}]*}\n"
			    "payload=${order#*',\"payload\":'}\n"
			    "payload=${payload%'}}'}\n"
			    "case $method in\n"
			    "initialize) ready ;;\n"
			    "job.run) run ;;\n"
			    "job.cancel) cancel ;;\n"
			    "ping) ping ;;\n"
			    "shutdown) stop ;;\n"
			    "esac\n"
			    "done\n"
			    "finish\n";

struct handler *service_script(struct agent_fixture *fixture, const char *name,
			       const char *functions)
{
	struct handler *handler;
	char *script;

	assert_true(asprintf(&script, "%s%s%s", BEFORE, functions, AFTER) > 0);
	handler = agent_fixture_script(fixture, name, script);
	free(script);
	handler->kind = HANDLER_SERVICE;
	handler->concurrency = CONCURRENCY;
	return handler;
}
