/* The arguments of locumd, which everybody on the machine can read. Called from main only. */
#ifndef LOCUM_DISPATCHER_ARGUMENTS_H
#define LOCUM_DISPATCHER_ARGUMENTS_H

/* Returns a copy of argv, the caller's to free, and overwrites each password in argv with asterisks. NULL when memory
 * ends. */
char **arguments_take(int argc, char **argv);
void arguments_free(char **copy);

#endif
