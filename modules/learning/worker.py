"""The process that trains: takes jobs from its parent through a pipe, answers with results, ends with the pipe.

1. A frame is four bytes of length (big endian) and MessagePack. Standard input brings jobs, standard output takes
   results; anything that a library prints goes to standard error.
2. When the parent dies its end of the pipe closes, and this process ends: no orphan is left on any system.
3. LightGBM lives only here, so that its memory goes when the worker ends.
"""

import os
import struct
import sys
import traceback
from typing import BinaryIO

import msgspec

HEAD = struct.Struct(">I")


class Answer(msgspec.Struct, frozen=True):
    """A worker's answer: a packed result, or the error with its stack."""

    result: bytes = b""
    error: str = ""


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end of the stream (also within a frame: the parent is gone)."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    size: int = HEAD.unpack(head)[0]
    body = stream.read(size)
    return body if len(body) == size else None


def main() -> None:
    """Serve jobs until the parent closes the pipe."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # one thread a model: more fight over the cores
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # rule 1
    from modules.learning import jobs  # after the thread limits

    decoder = msgspec.msgpack.Decoder(jobs.Job)
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        try:
            answer = Answer(result=msgspec.msgpack.encode(jobs.run(decoder.decode(frame))))
        except Exception:  # noqa: BLE001 - the border of a process: the parent logs it and counts it
            answer = Answer(error=traceback.format_exc())
        body = msgspec.msgpack.encode(answer)
        answers.write(HEAD.pack(len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    main()
