"""The OAuth and OpenID Connect endpoints of all providers, as one WSGI application in front of the pages."""
