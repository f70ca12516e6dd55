-- In a test's database every change of a job's state is held against db/states.def.

create table public.left_job (id bigint primary key, state locum.job_state);

create function public.check_edge(id bigint, old_state locum.job_state, new_state locum.job_state)
returns void
language plpgsql as $$
begin
	if old_state <> new_state and not locum.state_edge_is_legal(old_state, new_state) then
		raise 'job %: there is no edge from % to %', id, old_state, new_state
			using errcode = 'triggered_action_exception';
	end if;
end
$$;

create function public.on_job() returns trigger
language plpgsql as $$
begin
	if tg_op = 'INSERT' then
		if new.state not in ('waiting', 'scheduled', 'pending') then
			raise 'job %: begins as %', new.id, new.state
				using errcode = 'triggered_action_exception';
		end if;
	elsif tg_op = 'UPDATE' then
		perform public.check_edge(new.id, old.state, new.state);
	else
		insert into public.left_job (id, state) values (old.id, old.state);
		return old;
	end if;
	return new;
end
$$;

create function public.on_finished() returns trigger
language plpgsql as $$
declare
	last locum.job_state;
begin
	select state into last from public.left_job where left_job.id = new.id;
	if last is null then
		raise 'job %: finished and not taken from locum.job', new.id
			using errcode = 'triggered_action_exception';
	end if;
	perform public.check_edge(new.id, last, new.state);
	return new;
end
$$;

create trigger edges before insert or update or delete on locum.job
	for each row execute function public.on_job();
create trigger edges after insert on locum.finished
	for each row execute function public.on_finished();
