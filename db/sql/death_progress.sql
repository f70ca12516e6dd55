-- death_progress(victim_incarnation uuid, reclaimed int) -> nothing
-- Adds to the certificate how many jobs were taken back, and when.
update locum.death
set reclaimed = reclaimed + $2::int, reclaimed_at = clock_timestamp()
where victim_incarnation = $1::uuid
