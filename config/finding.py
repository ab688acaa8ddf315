"""One line of the doctor's report."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, how it stands, and how to mend it ("" where nothing is to be mended)."""

    what: str
    verdict: Verdict
    text: str
    mend: str = ""
