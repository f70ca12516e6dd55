/* What the exit code of a command says about its job. Any thread. */
#ifndef LOCUM_AGENT_EXIT_CODE_H
#define LOCUM_AGENT_EXIT_CODE_H

#include <stddef.h>

#include "base/wire.h"

/* VERDICT_RELEASED means that the program could not be executed here. */
enum verdict exit_code_verdict(int code);

/* Writes the sentence for the job's error into text, for every code but 0. */
void exit_code_explain(int code, char *text, size_t size);

#endif
