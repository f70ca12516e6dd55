-- receipt_confirm(confirmed uuid[]) -> nothing
-- Drops receipts whose owner knows the outcome and has no completion to send along with the news.
delete from locum.receipt where completion_id = any($1::uuid[])
