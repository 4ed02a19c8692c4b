"""The gallery of this repository's apps; loaded only when `learn.py` starts the provider with `--gallery`."""
