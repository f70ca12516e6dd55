-- The options of a job: what may be in them, and the forms in which they are stored.

-- locum.job_options(): the names that an object of a bulk submission may have.
create or replace function locum.job_options() returns text[]
language plpgsql stable as $$
begin
	return '{handler,payload}'::text[] || array_agg(attname::text order by attnum)
	from pg_attribute
	where attrelid = 'locum.job_option'::regclass and attnum > 0 and attname <> 'handler';
end
$$;

-- locum.check_names(object json, known text[], what text): raises 22023 when object, a `what`, is none, or has
-- a member that is not known, or one twice.
create or replace function locum.check_names(object json, known text[], what text) returns void
language plpgsql immutable as $$
declare
	unknown text;
	twice text;
begin
	if json_typeof(object) <> 'object' then
		raise '% must be a JSON object, not %', what, json_typeof(object)
			using errcode = 'invalid_parameter_value';
	end if;
	select name into unknown from json_object_keys(object) as name where name <> all(known) limit 1;
	if unknown is not null then
		raise 'there is no option "%"; the options are %', unknown, array_to_string(known, ', ')
			using errcode = 'invalid_parameter_value';
	end if;
	select name into twice from json_object_keys(object) as name group by name having count(*) > 1 limit 1;
	if twice is not null then
		raise '"%" is given twice', twice using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.takes(name text, type text): whether the option of that name may be given as JSON of that type. Only
-- priority and max_attempts are numbers; an interval such as 5 would leave its unit open.
create or replace function locum.takes(name text, type text) returns boolean
language sql immutable as $$
	select type in ('string', 'null') or name in ('payload', 'then', 'labels')
		or (type = 'number' and name in ('priority', 'max_attempts'))
$$;

-- locum.check_options(options json, known text[], what text): check_names, and raises 22023 when an option is
-- JSON of a type that cannot be its value.
create or replace function locum.check_options(options json, known text[], what text) returns void
language plpgsql immutable as $$
declare
	wrong record;
begin
	perform locum.check_names(options, known, what);
	select name, json_typeof(value) as type into wrong from json_each(options) as given (name, value)
	where not locum.takes(name, json_typeof(value)) limit 1;
	if wrong.name is not null then
		raise '% must be a %, not %', wrong.name,
			case when wrong.name in ('priority', 'max_attempts') then 'number' else 'string' end,
			wrong.type using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.check_name(what text, name text): raises 22023 with a sentence when name cannot be the name of a
-- `what`.
create or replace function locum.check_name(what text, name text) returns void
language plpgsql immutable as $$
begin
	if name is null or name = '' then
		raise 'the % has no name', what using errcode = 'invalid_parameter_value';
	elsif octet_length(name) > LIMIT_NAME_BYTES then
		raise 'the name of the % has % bytes; at most LIMIT_NAME_BYTES are allowed', what,
			octet_length(name) using errcode = 'invalid_parameter_value';
	elsif name ~ '[[:cntrl:]]' then
		raise 'the name of the % contains a control character', what
			using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.interval_ms(value interval): whole milliseconds, null for null.
create or replace function locum.interval_ms(value interval) returns bigint
language sql immutable as $$
	select ceil(extract(epoch from value) * 1000)::bigint
$$;

-- locum.wait_fits(value interval, negative boolean): whether it is at most LIMIT_WAIT_DAYS days, and not less than none
-- unless it may be negative. An interval has three parts with signs of their own: as it compares a year has 360 days, in
-- milliseconds 365.25, and by the calendar each part is added for itself, so that none may be beyond all years.
create or replace function locum.wait_fits(value interval, negative boolean default false) returns boolean
language sql immutable as $$
	select value is null or (value <= make_interval(days => LIMIT_WAIT_DAYS)
		and (negative or (value >= interval '0' and extract(epoch from value) >= 0))
		and abs(extract(year from value)) <= 1000 and abs(extract(day from value)) <= 365250)
$$;

-- locum.waits_fit(option locum.job_option): whether all times to wait do.
create or replace function locum.waits_fit(option locum.job_option) returns boolean
language sql immutable as $$
	select num_nonnulls((option).delay, (option).timeout, (option).expires, (option).retry_delay,
		(option).retry_cap) = 0
		or (locum.wait_fits((option).delay, true) and locum.wait_fits((option).timeout, true)
		and locum.wait_fits((option).expires) and locum.wait_fits((option).retry_delay)
		and locum.wait_fits((option).retry_cap))
$$;

-- locum.check_job(option locum.job_option, payload json): raises 22023 with one sentence that says what is
-- wrong with a job's options. "then" and the labels are checked where they are read.
create or replace function locum.check_job(option locum.job_option, payload json) returns void
language plpgsql as $$
declare
	wrong text;
begin
	perform locum.check_name('handler', option.handler);
	perform locum.check_name('queue', coalesce(option.queue, 'default'));
	wrong := case
		when payload is null then 'the payload is missing'
		when octet_length(payload::text) > LIMIT_PAYLOAD_BYTES then format(
			'the payload has %s bytes; at most LIMIT_PAYLOAD_BYTES are allowed',
			octet_length(payload::text))
		when option.priority not between 0 and LIMIT_PRIORITY_MAX then format(
			'the priority must be 0 to LIMIT_PRIORITY_MAX, not %s', option.priority)
		when option.key = '' then 'the key is empty'
		when octet_length(option.key) > LIMIT_KEY_BYTES then format(
			'the key has %s bytes; at most LIMIT_KEY_BYTES are allowed',
			octet_length(option.key))
		when option.max_attempts not between 1 and LIMIT_ATTEMPTS_MAX then format(
			'max_attempts must be 1 to LIMIT_ATTEMPTS_MAX, not %s', option.max_attempts)
		when locum.interval_ms(option.timeout) < 1 then format(
			'the timeout must be 1ms or more, not %s', option.timeout)
		when option.on_interrupt not in ('retry', 'fail', 'hold') then format(
			'on_interrupt must be retry, fail or hold, not %L', option.on_interrupt)
		when option.retry_backoff not in ('exponential', 'linear', 'fixed') then format(
			'retry_backoff must be exponential, linear or fixed, not %L', option.retry_backoff)
		when octet_length(option.traceparent) > LIMIT_KEY_BYTES then format(
			'the traceparent has %s bytes; at most LIMIT_KEY_BYTES are allowed',
			octet_length(option.traceparent))
		when octet_length(option.submitted_by) not between 1 and LIMIT_KEY_BYTES then format(
			'submitted_by has %s bytes; 1 to LIMIT_KEY_BYTES are allowed',
			octet_length(option.submitted_by))
		when not isfinite(option.run_at) then format('run_at must be a time, not %s', option.run_at)
	end;
	if not locum.waits_fit(option) then
		select case when value < interval '0' or extract(epoch from value) < 0
			then format('%s must not be negative, not %s', name, value)
			else format('%s must be at most LIMIT_WAIT_DAYS days, not %s', name, value) end into wrong
		from (values ('delay', option.delay), ('timeout', option.timeout),
			('expires', option.expires), ('retry_delay', option.retry_delay),
			('retry_cap', option.retry_cap)) as given (name, value)
		where not locum.wait_fits(value, name in ('delay', 'timeout'));
	end if;
	if wrong is not null then
		raise '%', wrong using errcode = 'invalid_parameter_value';
	end if;
end
$$;

-- locum.label_set(labels json): the labels as they are stored, each value a text; null when there is none.
-- Errors: 22023 with a sentence.
create or replace function locum.label_set(labels json) returns jsonb
language plpgsql immutable as $$
declare
	wrong text;
	label record;
	n int := 0;
begin
	if labels is null or json_typeof(labels) = 'null' then
		return null;
	elsif json_typeof(labels) <> 'object' then
		raise 'the labels must be a JSON object, not %', json_typeof(labels)
			using errcode = 'invalid_parameter_value';
	end if;
	perform locum.check_names(labels, array(select json_object_keys(labels)), 'the labels');
	for label in select key, value, json_typeof(labels -> key) as type from json_each_text(labels) loop
		n := n + 1;
		perform locum.check_name('label', label.key);
		wrong := case
			when label.type not in ('string', 'number', 'boolean') then format(
				'the label %s must be a text, not %s', label.key, label.type)
			when octet_length(label.value) > LIMIT_LABEL_BYTES then format(
				'the label %s has %s bytes; at most LIMIT_LABEL_BYTES are allowed',
				label.key, octet_length(label.value))
			when n > LIMIT_LABELS then 'there are more than LIMIT_LABELS labels'
		end;
		if wrong is not null then
			raise '%', wrong using errcode = 'invalid_parameter_value';
		end if;
	end loop;
	return (select jsonb_object_agg(key, value) from json_each_text(labels));
end
$$;

-- locum.due_at(run_at timestamptz, delay interval): when a job is due; null: at once.
create or replace function locum.due_at(run_at timestamptz, delay interval) returns timestamptz
language sql stable as $$
	select case when delay is null then run_at else coalesce(run_at, now()) + delay end
$$;

-- locum.plain_options(option locum.job_option): the options with times and intervals in forms that any session
-- reads alike.
create or replace function locum.plain_options(option locum.job_option) returns json
language plpgsql stable set intervalstyle = iso_8601 as $$
begin
	return to_json(option);
end
$$;

-- locum.follow_up(spec json, depth int): one follow-up as it is stored: an object, checked.
create or replace function locum.follow_up(spec json, depth int) returns json
language plpgsql as $$
declare
	option locum.job_option;
begin
	if json_typeof(spec) = 'string' then
		perform locum.check_name('handler', spec #>> '{}');
		return json_build_object('handler', spec);
	end if;
	perform locum.check_options(spec, array_remove(locum.job_options(), 'submitted_by'), 'a follow-up');
	option := json_populate_record(null::locum.job_option, spec);
	perform locum.check_job(option, coalesce(spec -> 'payload', '{}')),
		locum.due_at(option.run_at, option.delay), locum.label_set(option.labels);
	option."then" := locum.follow_up_set(option."then", depth + 1);
	return json_object_agg(key, value)
	from (
		select key, value from json_each(locum.plain_options(option))
		where json_typeof(value) <> 'null'
		union all
		select 'payload', spec -> 'payload' where spec -> 'payload' is not null
	) as given;
end
$$;

-- locum.follow_up_set("then" json, depth int): the follow-ups of a job as they are stored; null when there is
-- none. What is accepted here cannot fail at the end of the job, which makes their queues.
--   then   an object with any of success, failure and always, each a handler's name or an object of options
-- Errors: 22023, 22P02, 22007 and such with a sentence that begins with the place.
create or replace function locum.follow_up_set("then" json, depth int default 1) returns json
language plpgsql as $$
declare
	ending text;
	spec json;
	members text[];
	bytes int;
begin
	if "then" is null or json_typeof("then") = 'null' then
		return null;
	end if;
	if depth > LIMIT_FOLLOW_DEPTH then
		raise 'follow-ups are nested more than LIMIT_FOLLOW_DEPTH deep'
			using errcode = 'invalid_parameter_value';
	end if;
	perform locum.check_names("then", '{success,failure,always}', '"then"');
	for ending, spec in select key, value from json_each("then") loop
		begin
			members := members || format('"%s": %s', ending, locum.follow_up(spec, depth));
		exception when data_exception or integrity_constraint_violation then
			raise 'then.%: %', ending, sqlerrm using errcode = sqlstate;
		end;
	end loop;
	bytes := octet_length(array_to_string(members, ', ')) + 2;
	if bytes > LIMIT_PAYLOAD_BYTES then
		raise '"then" has % bytes; at most LIMIT_PAYLOAD_BYTES are allowed', bytes
			using errcode = 'invalid_parameter_value';
	end if;
	return '{' || array_to_string(members, ', ') || '}';
end
$$;
