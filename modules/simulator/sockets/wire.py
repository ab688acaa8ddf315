"""Frames of the WebSocket protocol (RFC 6455) as a server sends them: unmasked, whole, uncompressed.

A market frame is made once and its bytes go to every subscriber: with thousands of frames a second the cost of a
frame for each reader has to be a list append, not an encoding.
"""

from __future__ import annotations

_TEXT, _PING, _FIN = 0x1, 0x9, 0x80


def text_frame(payload: bytes) -> bytes:
    """A text message as one frame."""
    return _frame(_TEXT, payload)


def ping_frame(payload: bytes) -> bytes:
    """A ping; `payload` at most 125 bytes."""
    return _frame(_PING, payload)


def _frame(code: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((_FIN | code, size)) + payload
    if size < 65_536:
        return bytes((_FIN | code, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | code, 127)) + size.to_bytes(8, "big") + payload
