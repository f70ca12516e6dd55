select locum.submit('noop', '{"customer": 123456, "order": "c4ca4238a0b923820dcc509a6f75849b", "amount": 123, "currency": "EUR", "note": "plain"}');
