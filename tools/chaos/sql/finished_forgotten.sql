-- finished_forgotten() -> forgotten
-- How many jobs ended and are not there any more.
select (select count(distinct job) from locum_chaos.event where kind = 'end')
	- (select count(*) from locum.finished) as forgotten
