"""The benchmark: the fake provider and other test providers, measured side by side in one run."""
