"""What the provider remembers while it runs: people, sign-ins, browsers, lifetimes, the class."""
