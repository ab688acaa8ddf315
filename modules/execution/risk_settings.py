"""Settings of the risk rules (X34–X36). Percentages are of equity, times market time; 0 switches a limit off."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LEAST_STALE_S = 5.0
# Equity is read every 5 to 10 s of our own time, whatever the market's; one that a trade or funding has just changed
# counts only after the next pass over the account explains it: 8 s after the last one, and read again after that.
LEAST_EQUITY_S = 30.0


class RiskSettings(BaseModel):
    """What stops new entries, per mode. Nothing here ever stops an exit (X35)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day_loss_pct: float = Field(5.0, ge=0, le=100, description="Loss of equity in a UTC day that stops entries, %")
    week_loss_pct: float = Field(10.0, ge=0, le=100, description="Loss of equity in an ISO week that stops entries, %")
    drawdown_pct: float = Field(20.0, ge=0, le=100, description="Fall of equity from its peak that halts entries, %")
    exposure_pct: float = Field(50.0, ge=0, le=100, description="Share of equity in open positions at most, %")
    losing_streak: int = Field(10, ge=0, le=1000, description="Losing trades in a row that stop entries for a while")
    streak_rest_s: float = Field(14_400.0, ge=0, description="Market seconds without entry after a losing streak")
    equity_stale_s: float = Field(300.0, gt=0, description="Equity older than this stops entries, market seconds")
    data_stale_s: float = Field(30.0, gt=0, description="Market data older than this stops entries, market seconds")
    warn_at_pct: float = Field(80.0, gt=0, lt=100, description="Share of a limit at which a warning is sent, %")
    rearm_at_pct: float = Field(60.0, gt=0, lt=100, description="Share of a limit below which the next may warn, %")
    flat_apart_s: float = Field(5.0, gt=0, le=600, description="Market seconds between the two looks that confirm flat")

    @model_validator(mode="after")
    def _episodes_can_end(self) -> Self:
        """A warning that is armed again before it was given would be given over and over."""
        if self.rearm_at_pct >= self.warn_at_pct:
            raise ValueError(f"rearm_at_pct ({self.rearm_at_pct:g}) must be below warn_at_pct ({self.warn_at_pct:g})")
        return self

    def at_speed(self, speed: float) -> "RiskSettings":
        """For a market that runs `speed` times as fast: what is read in our own time is not old before its turn came.

        Prices not before `LEAST_STALE_S` of our own seconds, equity not before `LEAST_EQUITY_S`.
        """
        return self.model_copy(update={"equity_stale_s": max(self.equity_stale_s, LEAST_EQUITY_S * speed),
                                       "data_stale_s": max(self.data_stale_s, LEAST_STALE_S * speed)})
