"""Who reviews trades of system C in a live process: the meta-layer's model as it lies on disk, and the adviser."""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from modules.learning.modelfiles import Loaded, manifest_path
from modules.strategies.showdown import meta
from modules.strategies.showdown.adviser_settings import AdviserSettings
from modules.strategies.showdown.decision import Question
from modules.strategies.showdown.records import Decision, Opinion

if TYPE_CHECKING:
    from modules.strategies.showdown.adviser import Adviser as AdviserT

log = logging.getLogger(__name__)


class Panel:
    """The reviewers. `models`: the folder of all models."""

    def __init__(self, settings: AdviserSettings, models: Path) -> None:
        self._settings, self._models = settings, models
        self._adviser: AdviserT | None = None
        self._model: Loaded | None = None
        self._mark: tuple[int, int] | None = None
        if settings.endpoint() is not None:
            from modules.strategies.showdown.adviser import Adviser  # only where one is to be asked

            self._adviser = Adviser(settings)

    async def model(self) -> str:
        """The id of the model in use now, for the decision's inputs; read anew when its file changed. Never raises."""
        if not self._settings.meta:
            return ""
        mark = await asyncio.to_thread(self._marked)
        if mark != self._mark:
            self._model, why = (None, "") if mark is None else await asyncio.to_thread(meta.load, self._models)
            self._mark = mark
            if why:
                log.warning("the meta-layer does not judge: %s", why)
        return meta.identity(self._model)

    async def opinions(self, question: Question, decision: Decision) -> tuple[Opinion, ...]:
        """Everybody's opinion of a long or short; who is not asked says nothing. Takes at most the adviser's time."""
        if decision.action == "flat":
            return ()
        found = [] if self._model is None else [meta.opinion(self._model, question, decision)]
        if self._adviser is not None and not any(one.verdict == "skip" for one in found):
            said = await self._adviser.opinion(question, decision)
            found += [said] if said is not None else []
        return tuple(found)

    def _marked(self) -> tuple[int, int] | None:
        try:
            told = manifest_path(meta.folder_of(self._models), meta.NAME).stat()
        except OSError:
            return None
        return told.st_mtime_ns, told.st_size
