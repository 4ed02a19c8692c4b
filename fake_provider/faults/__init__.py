"""How the provider misbehaves on request: a fault as data, the faults that wait, and what they change in a response."""
