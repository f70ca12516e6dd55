/*
 * Where a row stands in its table, as the server sends its ctid. It holds until the row is changed, and another row may
 * stand there then: it says where to look, and proves nothing.
 */
#ifndef LOCUM_DB_ROW_PLACE_H
#define LOCUM_DB_ROW_PLACE_H

enum { ROW_PLACE_BYTES = 6 };

struct row_place {
	unsigned char bytes[ROW_PLACE_BYTES];
};

/* (0,0), where no row can stand. */
#define ROW_PLACE_UNKNOWN ((struct row_place){ { 0 } })

#endif
