"""The provider's own pages, and its control API: one module for each URL prefix."""
