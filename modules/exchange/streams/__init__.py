"""Sockets of a venue: what to subscribe, how to connect again, when silence means death."""
