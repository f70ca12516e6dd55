-- What keeps statements of one dispatcher waiting inside the server for as long as the harness holds advisory locks:
-- its pings, so that they end; its claims, before they commit and with all their locks; or its completions, before
-- they look at any row. Others delete jobs, too: what expired, what nobody knows of.
create table locum_chaos.held (incarnation uuid, what text, primary key (incarnation, what));

create function locum_chaos.hold() returns trigger language plpgsql security definer
	set search_path = pg_catalog, pg_temp as $$
begin
	perform from locum_chaos.held
		where what = tg_argv[0]
			and (what <> 'completions' or current_query() like '%job_complete(%')
			and current_setting('application_name') like 'locum/%' || held.incarnation || '%';
	if found then
		perform pg_advisory_xact_lock_shared(4242, case tg_argv[0] when 'pings' then 2 else 1 end);
	end if;
	return null;
end
$$;

create trigger chaos_hold_pings before update on locum.dispatcher_ping
	for each statement execute function locum_chaos.hold('pings');

-- Of statements that claimed something.
create function locum_chaos.hold_claimed() returns trigger language plpgsql security definer
	set search_path = pg_catalog, pg_temp as $$
begin
	perform from claimed join locum_chaos.held using (incarnation)
		where held.what = 'claims' and claimed.state = 'assigned';
	if found then
		perform pg_advisory_xact_lock_shared(4242, 1);
	end if;
	return null;
end
$$;

create trigger chaos_hold_claims after update on locum.job
	referencing new table as claimed
	for each statement execute function locum_chaos.hold_claimed();
create trigger chaos_hold_completions before delete on locum.job
	for each statement execute function locum_chaos.hold('completions');
