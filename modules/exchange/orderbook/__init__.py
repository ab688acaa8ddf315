"""Exact local order books: layout, sequence rules, parsers; no asyncio, no sockets."""
