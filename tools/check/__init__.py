"""The attacks: a catalogue of cases, each run on every app, with a verdict."""
