/* The version of this source tree. */
#ifndef LOCUM_BASE_VERSION_H
#define LOCUM_BASE_VERSION_H

#define LOCUM_VERSION "0.1.0"

#endif
