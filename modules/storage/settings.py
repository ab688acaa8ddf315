"""Settings of what is kept on disk: the record of decisions, and recordings of raw frames."""

from pydantic import BaseModel, ConfigDict, Field


class DecisionSettings(BaseModel):
    """The record of decisions in ``data/decisions``: what ``bot.py replay`` reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: bool = Field(True, description="Record every decision with its inputs, for bot.py replay")
    disk_mb: float = Field(500.0, ge=1, le=1e6, description="Disk for the record of each mode, MB; the oldest goes")
    keep_days: float = Field(30.0, gt=0, le=3650, description="Recorded decisions are kept so long, days")
    file_mb: float = Field(16.0, ge=0.01, le=1024, description="A file of the record is about so large, MB")


class RecorderSettings(BaseModel):
    """Recordings of all that the feed hears, in ``data/recordings``: ``--ticks`` and ``recording check`` read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: bool = Field(True, description="Record every raw frame of the feed")
    most_mb: int = Field(5000, ge=10, le=10_000_000, description="Disk for recordings, MB; the oldest goes")
    keep_days: int = Field(14, ge=1, le=3650, description="Recordings are kept so long, days")
