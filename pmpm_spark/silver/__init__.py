"""Silver: one file per table, contract beside its function. No source is known here."""
