"""The four ways, measured side by side: what `python3 learn.py compare` writes into docs/comparison.md."""
