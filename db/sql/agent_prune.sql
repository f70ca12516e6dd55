-- agent_prune(incarnation uuid, names text[]) -> nothing
-- Forgets the agents that are not among these: a later configuration has them no more.
delete from locum.agent
where incarnation = $1::uuid and name <> all($2::text[])
