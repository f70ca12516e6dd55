-- The tables of the prototype, for psql: what a claim needs, two indexes, history by UTC day.
create schema bare;

create table bare.job (
	id bigint generated always as identity primary key,
	queue int not null,
	priority smallint not null,
	handler text not null,
	claim_id uuid,
	dispatcher uuid,
	attempts smallint not null default 0,
	created_at timestamptz not null default now(),
	claimed_at timestamptz,
	payload json not null
);
create index on bare.job (queue, priority, id) where claim_id is null;

create table bare.finished (
	id bigint not null,
	queue int not null,
	priority smallint not null,
	handler text not null,
	claim_id uuid not null,
	dispatcher uuid not null,
	attempts smallint not null,
	created_at timestamptz not null,
	claimed_at timestamptz not null,
	finished_at timestamptz not null,
	payload json not null
) partition by range (finished_at);
create index on bare.finished (id);

select format('create table bare.finished_%s partition of bare.finished for values from (%L) to (%L)',
	n, (today + n)::timestamp at time zone 'UTC', (today + n + 1)::timestamp at time zone 'UTC')
from generate_series(0, 1) as n, (select (now() at time zone 'UTC')::date as today) as clock
\gexec
