"""Recorded decisions of system C made again from their recorded questions: the same bytes, or where they differ.

A file is that of ``storage.decisions``: the head first, then ``{"question": …, "opinions": […], "decision": …}`` of
each decision; opinions only where somebody reviewed it. The meta-layer's opinion is made again where the model that
gave it is still there; the adviser's, and that of a model that was replaced, is taken as it was recorded.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from modules.learning.modelfiles import Loaded
from modules.storage.decisions import DecisionFileError, read
from modules.strategies.showdown import meta, review
from modules.strategies.showdown.decision import Question, decide, encoded
from modules.strategies.showdown.records import Decision, Opinion

FORM, FORM_VERSION = "coxswain-showdown-decisions", 1


class Head(msgspec.Struct, frozen=True):
    """The first line of a file."""

    form: str
    version: int
    program: str


class Kept(msgspec.Struct, frozen=True):
    """One recorded decision; both as the bytes they were."""

    question: msgspec.Raw
    decision: msgspec.Raw
    opinions: tuple[Opinion, ...] = ()


class Again(NamedTuple):
    """A decision made again. `recorded` and `now` are its bytes; they are the same where nothing changed."""

    line: int
    decision: Decision
    recorded: bytes
    now: bytes

    @property
    def same(self) -> bool:
        return self.recorded == self.now


def line(question: Question, decision: Decision, opinions: Sequence[Opinion] = ()) -> bytes:
    """One record. `decision` is the reviewed one, `opinions` those that reviewed it."""
    heard = b'"opinions":%b,' % msgspec.json.encode(opinions) if opinions else b""
    return b'{"question":%b,%b"decision":%b}' % (msgspec.json.encode(question), heard, encoded(decision))


def head(program: str) -> bytes:
    """The first record of every file."""
    return msgspec.json.encode(Head(FORM, FORM_VERSION, program))


def replay(path: Path, models: Path | None = None) -> tuple[list[Again], int]:
    """Every decision of a file made again, and the bytes of a torn tail. Raises DecisionFileError, OSError.

    `models`: the folder of all models, for opinions of the meta-layer.
    """
    model = meta.load(models)[0] if models is not None else None
    records, torn = read(path)
    if not records:
        return [], torn
    try:
        told = msgspec.json.decode(records[0], type=Head)
    except msgspec.MsgspecError as problem:
        raise DecisionFileError(f"{path.name} does not begin with a head of system C: {problem}") from problem
    if told.form != FORM or told.version > FORM_VERSION:
        raise DecisionFileError(f"{path.name} has the form {told.form} {told.version}; this program reads {FORM} up to "
                                f"{FORM_VERSION}. Replay it with version {told.program}.")
    return [_again(path, number, record, model) for number, record in enumerate(records[1:], start=2)], torn


def _again(path: Path, number: int, record: bytes, model: Loaded | None) -> Again:
    try:
        kept = msgspec.json.decode(record, type=Kept)
        question = msgspec.json.decode(kept.question, type=Question)
        recorded = msgspec.json.decode(kept.decision, type=Decision)
        made = decide(question)
        opinions = [meta.opinion(model, question, made) if model is not None and one.by == "meta"
                    and one.id == question.meta == meta.identity(model) else one for one in kept.opinions]
        now = encoded(review.apply(made, opinions, question.contract))
    except (msgspec.MsgspecError, ValueError, KeyError) as problem:
        raise DecisionFileError(f"{path.name}, line {number} cannot be made again: {problem}") from problem
    return Again(number, recorded, bytes(kept.decision), now)
