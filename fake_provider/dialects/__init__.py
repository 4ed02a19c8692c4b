"""The dialects: one file for each provider, with its responses, its row of the table and its practice clients."""
