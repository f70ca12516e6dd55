-- transaction_commit() -> nothing
commit
