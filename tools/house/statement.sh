#!/bin/sh
# statement.sh NAME: prints the text of db/sql/NAME.sql as it is embedded, without its comments.
# Run from the root of the tree.
set -eu
export LC_ALL=C

awk -v include_dir=. -v source="db/sql/$1.sql" -f tools/house/expand.awk \
	base/limits.h "db/sql/$1.sql" | sed '/^--/d'
