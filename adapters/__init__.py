"""The outside world: venues, the ledger's database, the operator's terminal, clock and logs.

`venue` is the port that every venue folder fills; `registry` is the only file that names the venues.
"""
