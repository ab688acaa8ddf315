"""A trouble is logged when it begins and when it ends, not each time it shows."""

import logging


class Episodes:
    """Troubles by key, each with how often it showed."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._shown: dict[str, int] = {}

    def bad(self, key: str, text: str) -> None:
        """It shows: logged the first time."""
        if key not in self._shown:
            self._log.warning("%s", text)
        self._shown[key] = self._shown.get(key, 0) + 1

    def good(self, key: str) -> None:
        """It is gone."""
        if key in self._shown:
            self._log.info("%s: sound again after %d unsound answers", key, self._shown.pop(key))
