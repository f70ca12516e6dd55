-- database_create() -> nothing
-- Makes the database "locum", in UTF-8 whatever the server's default is.
create database locum template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'
