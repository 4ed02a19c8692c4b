"""The catalogue of attacks on a login, the engine that runs them on the apps, and the browsers of the suite."""
