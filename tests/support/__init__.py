"""Helpers of the tests: clients of the provider, a running gallery, odd endpoints, the order of the tests."""
