"""One provider, one file: its row of the table, the shape of its responses, its differences and its practice clients."""
