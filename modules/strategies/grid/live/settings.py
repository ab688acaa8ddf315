"""Settings of the processes that trade grids: how many, how long a lease lasts, where they run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GridLiveSettings(BaseModel):
    """The workers of system E."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(1, ge=1, le=256, description="Processes (or Ray actors) that trade grids")
    sessions: int = Field(2000, ge=1, le=100_000, description="Grids that one worker takes at most")
    backend: Literal["local", "ray"] = Field("local", description="local: processes of this machine; ray: actors of "
                                             "the cluster in COMPUTE, each with its own settings and database address")
    lease_s: float = Field(15.0, ge=1, le=600, description="A worker that is silent for so long loses its grids")
    streams: int = Field(80, ge=0, le=10_000, description="Private sockets that one worker opens, one a grid; the "
                         "others are read by REST alone (Bitget takes 100 connections of an address)")
    save_s: float = Field(10.0, ge=0.2, le=600, description="Seconds between saves of a grid's standing for status")
    user: str = Field("standalone", pattern=r"^[A-Za-z0-9_.-]{1,64}$",
                      description="Name of the one user of the standalone grid")
