-- transaction_rollback() -> nothing
rollback
