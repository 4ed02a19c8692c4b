"""What the provider remembers while it runs: accounts, sign-ins, browsers, lifetimes, the classroom."""
