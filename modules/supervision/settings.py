"""Settings of the supervision: heartbeats, restarts, stops. All in seconds of monotonic time."""

from pydantic import BaseModel, ConfigDict, Field


class SupervisionSettings(BaseModel):
    """When a service counts as stuck and how it is brought back (P1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beat_every_s: float = Field(0.5, gt=0, le=10, description="Seconds between a service's heartbeats")
    stuck_after_s: float = Field(15.0, gt=1, description="Seconds without a heartbeat that mean stuck")
    ready_within_s: float = Field(60.0, gt=1, description="Seconds a service may take to become ready")
    stop_within_s: float = Field(10.0, gt=0, description="Seconds for a graceful stop before the tree is killed")
    restart_first_s: float = Field(0.5, gt=0, description="First wait before a restart; doubles each time")
    restart_longest_s: float = Field(60.0, gt=0, description="Longest wait before a restart")
    crash_loop_count: int = Field(5, ge=2, description="Crashes within the window that stop the restarts")
    disk_low_mb: float = Field(200.0, ge=0, description="Free disk space below which an alert is given, MB")
    crash_loop_window_s: float = Field(300.0, gt=1, description="That window")
