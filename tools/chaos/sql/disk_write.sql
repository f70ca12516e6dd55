-- disk_write() -> nothing
-- Needs room on the disk; 53100 when there is none.
create table locum_chaos.filler as select repeat('x', 1000) as text from generate_series(1, 20000)
