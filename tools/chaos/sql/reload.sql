-- reload() -> done boolean
select pg_reload_conf()
