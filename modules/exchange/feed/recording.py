"""What the feed hears, into recordings: frames of every socket, answers to REST questions, and cut lines.

A frame's time is this machine's clock when it arrived: one wall-clock instant at the start, the monotonic clock from
there on, so that times never run backwards within a session.
"""

import time
from collections.abc import Callable

from modules.exchange.streams.socket import Socket
from modules.storage.recordings.format import Kind
from modules.storage.recordings.recorder import Recorder, RecorderLimits
from modules.storage.settings import RecorderSettings
from utils.paths import Paths
from utils.wall import now_ns


class FeedRecording:
    """The recorder of one feed process. `listen(problem)` hears of the disk, from a thread."""

    def __init__(self, settings: RecorderSettings, paths: Paths, venue: str, listen: Callable[[str], None]) -> None:
        self._shift = now_ns() - time.monotonic_ns()
        limits = RecorderLimits(most_mb=settings.most_mb, keep_days=settings.keep_days)
        self._recorder = Recorder(paths.data / "recordings" / venue, self._now_ns, limits, listen)
        self._sources: dict[str, int] = {}
        self._recorder.start()
        self._recorder.note({"started": True, "venue": venue})

    def frame(self, raw: bytes, local_ns: int, socket: Socket) -> None:
        """A frame of a socket; `local_ns` of the monotonic clock."""
        self._recorder.tap(raw, local_ns + self._shift, self._source(socket.name))

    def answer(self, path: str, raw: bytes) -> None:
        """The body of a REST answer; `path` with its query."""
        self._recorder.tap(raw, self._now_ns(), self._source(path), Kind.ANSWER)

    def lost(self, socket: Socket) -> None:
        """A line was cut: the sequences of its streams begin anew."""
        self._recorder.note({"lost": True, "source": socket.name})

    def facts(self) -> dict[str, object]:
        """For /status."""
        state = self._recorder.state()
        return {"recorded": state.frames, "recorded_mb": round(state.written_bytes / 1e6, 1),
                "not_recorded": state.dropped, "recorder": state.problem}

    def close(self) -> None:
        """Write what is held, and end."""
        self._recorder.close()

    def _now_ns(self) -> int:
        return time.monotonic_ns() + self._shift

    def _source(self, name: str) -> int:
        number = self._sources.get(name)
        if number is None:
            number = self._sources[name] = self._recorder.source(name)
        return number
