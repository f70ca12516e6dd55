-- Prints the events per second of the better size of a transaction, for psql.
\set batch 1000
\ir pgq_load.sql
\set smaller :rate
\set batch 10000
\ir pgq_load.sql
select E'pgq\t' || greatest(:smaller, :rate);
