-- session_any() -> pid
-- A dispatcher's session that works, or any of them.
select pid from pg_stat_activity
where application_name like 'locum/%/%'
order by state = 'active' desc, random()
limit 1
