"""One provider, one file: its row of the table, its responses, its differences and its practice clients."""
