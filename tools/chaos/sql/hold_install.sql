-- What keeps statements of one dispatcher waiting inside the server for as long as the harness holds an advisory lock:
-- its claims, before they commit and with all their locks; or its completions, before they look at any row.
create table locum_chaos.held (incarnation uuid primary key, what text not null);

create function locum_chaos.hold() returns trigger language plpgsql security definer
	set search_path = pg_catalog, pg_temp as $$
begin
	perform from locum_chaos.held
		where what = tg_argv[0]
			and current_setting('application_name') like 'locum/%' || held.incarnation || '%';
	if found then
		perform pg_advisory_xact_lock_shared(4242, 1);
	end if;
	return null;
end
$$;

create trigger chaos_hold_claims after update on locum.job
	for each statement execute function locum_chaos.hold('claims');
create trigger chaos_hold_completions before delete on locum.job
	for each statement execute function locum_chaos.hold('completions');
