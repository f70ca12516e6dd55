-- moment_read(text text, ago_ms bigint) -> moment
-- The time that a text gives or, without one, the time so long ago.
select coalesce($1::text::timestamptz, now() - $2::bigint * interval '1 millisecond') as moment
