"""What the feed heard is on disk, whole, and says where it was not heard."""

from pathlib import Path

from modules.exchange.feed.recording import FeedRecording
from modules.exchange.recording_cli import examine
from modules.storage.recordings.format import Kind
from modules.storage.recordings.reader import files_of, read_recording
from modules.storage.settings import RecorderSettings
from tests.exchange.feed.test_process import SYMBOLS, Start, all_right, start, venue
from tests.exchange.feed.venue import Venue
from utils.paths import Paths

__all__ = ["start", "venue"]


async def test_a_recording_holds_frames_answers_and_the_cut_line(venue: Venue, start: Start, tmp_path: Path) -> None:
    recording = FeedRecording(RecorderSettings(), Paths(tmp_path), "test", lambda problem: None)
    feed, reader = await start(recording=recording)
    await all_right(venue, feed, reader)
    await venue.cut()
    await all_right(venue, feed, reader)
    heard = feed.engine.counts.frames
    await feed.close()
    frames = [frame for path in files_of(tmp_path / "data" / "recordings" / "test") for frame in read_recording(path)]
    told = examine([tmp_path / "data" / "recordings"])
    assert sum(frame.kind is Kind.MESSAGE for frame in frames) >= heard
    assert told["symbols"] == sorted(SYMBOLS) and told["sequence_breaks"] == 0 and told["garbage"] == 0
    assert told["snapshots"] >= len(SYMBOLS) and told["restarts"] > 0 and told["dropped"] == 0
    assert [frame.ns for frame in frames if frame.kind is Kind.MESSAGE] == sorted(
        frame.ns for frame in frames if frame.kind is Kind.MESSAGE)
