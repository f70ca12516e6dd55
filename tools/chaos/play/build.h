/* Which build of a program it is. Any thread. */
#ifndef LOCUM_TOOLS_CHAOS_PLAY_BUILD_H
#define LOCUM_TOOLS_CHAOS_PLAY_BUILD_H

enum { BUILD_TEXT_SIZE = 72 };

/* The build id that the linker wrote into FOLDER/NAME, which no other source or setting has, in hexadecimal digits; "" when
 * there is none. Returns text. */
const char *build_of(const char *folder, const char *name, char text[static BUILD_TEXT_SIZE]);

#endif
