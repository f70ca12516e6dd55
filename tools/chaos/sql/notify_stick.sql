begin;
select 1
