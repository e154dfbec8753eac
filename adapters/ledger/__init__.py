"""The ledger: one SQLite file, one writer, append-only rows in one hash chain. Readers open it read-only."""
