"""Gold: one file per reported table. Names and columns here are read from outside and only ever grow."""
