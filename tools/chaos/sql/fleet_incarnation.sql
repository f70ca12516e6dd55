-- fleet_incarnation(pid int) -> incarnation uuid
select incarnation from locum.dispatcher where pid = $1::int order by seq desc limit 1
