-- session_refresh() -> nothing
-- Rids the session of what a handler left in it (locum.refresh).
select locum.refresh()
