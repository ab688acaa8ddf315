"""The stages in a row: inputs → snapshot → flow → decision. Live, backtest and tests all go through here. Pure."""

from typing import NamedTuple

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


def run(inputs: Inputs, settings: ShowdownSettings) -> Outcome:
    """All stages over `inputs`."""
    snap = snapshot(inputs, settings)
    told = flow(inputs, snap, settings)
    question = Question(snapshot=snap, flow=told, money=inputs.money, contract=inputs.contract,
                        settings=settings.model_dump(mode="json"))
    return Outcome(snap, told, question, decide(question))
