-- database_find() -> datname
-- Whether the server has the database "locum".
select datname from pg_database where datname = 'locum'
