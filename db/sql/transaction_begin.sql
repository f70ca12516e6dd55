-- transaction_begin() -> nothing
begin
