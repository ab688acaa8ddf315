"""The stages in a row: inputs → snapshot → flow → decision. Live, backtest and tests all go through here. Pure."""

from typing import NamedTuple

import msgspec

from modules.strategies.showdown.decision import Question, decide
from modules.strategies.showdown.flow import flow
from modules.strategies.showdown.inputs import Inputs
from modules.strategies.showdown.records import Decision, Flow, Snapshot
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.snapshot import snapshot


class Outcome(NamedTuple):
    """What the stages told of one instant."""

    snapshot: Snapshot
    flow: Flow
    question: Question
    decision: Decision


def run(inputs: Inputs, settings: ShowdownSettings, meta: str = "") -> Outcome:
    """All stages over `inputs`; `meta` names the model that reviews the decision (`review.apply`), if one does."""
    snap = snapshot(inputs, settings)
    told = flow(inputs, snap, settings)
    question = Question(snapshot=snap, flow=told, money=inputs.money, contract=inputs.contract,
                        settings=settings.model_dump(mode="json"), meta=meta or msgspec.UNSET)
    return Outcome(snap, told, question, decide(question))
