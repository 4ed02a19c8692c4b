"""The messages of each login: recorded, grouped into logins, explained, checked and drawn."""
