insert into bare.job (queue, priority, handler, payload) values (1, 5, 'noop', '{"customer": 123456, "order": "c4ca4238a0b923820dcc509a6f75849b", "amount": 123, "currency": "EUR", "note": "plain"}');
