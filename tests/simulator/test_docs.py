"""The fault section of docs/SIMULATOR.md tells what there is: its example is taken, no kind or action is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

from modules.simulator.acts import ACTIONS
from modules.simulator.fault_plan import GROUPS, PARAMS, FaultPlan, Kind
from modules.simulator.sockets.rules import NUMBERS, StreamKind

SOCKETS = (Path(__file__).resolve().parents[2] / "docs" / "SOCKETS.md").read_text(encoding="utf-8")
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "SIMULATOR.md").read_text(encoding="utf-8")


def test_the_example_is_a_plan() -> None:
    example = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    plan = FaultPlan.parse(json.loads(example[1]), "docs")
    assert (len(plan.rules), len(plan.events), plan.rate) == (3, 3, 0.1)


def test_every_kind_parameter_class_and_action_is_told() -> None:
    names = [*get_args(Kind), *ACTIONS, *GROUPS, *(name for names in PARAMS.values() for name in names)]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_stream_faults_are_told() -> None:
    example = re.search(r"```json\n(.*?)```", SOCKETS, re.DOTALL)
    assert example is not None
    assert len(FaultPlan.parse(json.loads(example[1]), "docs").streams) == 2
    numbers = {name for names in NUMBERS.values() for name in names}
    assert [name for name in (*get_args(StreamKind), *numbers) if f"`{name}`" not in SOCKETS] == []
