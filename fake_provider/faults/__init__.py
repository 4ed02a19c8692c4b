"""Faults: changes that tests, notebooks and learners make to a response of the provider, and their catalogue."""
