-- The events as records of database.log. Where no slot told the order of commits it is that of the triggers' clock,
-- which the locks of the rows keep right for each job and each dispatcher.
copy (
	with unping as materialized (
		select xid, incarnation, numbers from locum_chaos.event where kind = 'unping'
	), doubled as materialized (
		-- Its queue was told to keep nothing while the job ended: it was kept all the same.
		select unkept.n
		from locum_chaos.event as unkept
		join locum_chaos.event as kept using (xid, job)
		where unkept.kind = 'end' and unkept.state = 'unkept'
			and kept.kind = 'end' and kept.state <> 'unkept'
	)
	select concat_ws(' ', (extract(epoch from event.at) * 1000000)::bigint, event.kind,
		case when event.job is null then event.incarnation::text end,
		event.job, case when event.job is not null then event.xid::text end,
		case when event.kind in ('claim', 'start', 'back', 'end') then coalesce(event.claim::text, '-') end,
		event.seq,
		case when event.kind in ('claim', 'start', 'back', 'end') then coalesce(event.incarnation::text, '-') end,
		case when event.kind = 'dead' then
			coalesce(last.numbers[1], -1) || ' ' || coalesce(last.numbers[2], -1) end,
		event.state,
		case when event.kind = 'dead' then coalesce(last.numbers[3], -1) end)
	from locum_chaos.event
	left join locum_chaos.committed
		on committed.xid = mod(event.xid::text::bigint, 4294967296)
	left join unping as last on event.kind = 'dead' and last.xid = event.xid
		and last.incarnation = event.incarnation
	left join doubled on doubled.n = event.n
	where event.kind <> 'unping' and doubled.n is null
	order by committed.place nulls first, event.at, event.n
) to stdout
