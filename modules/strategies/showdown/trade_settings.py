"""Settings of system C's execution (C7): chase, emergency fill, targets. Market seconds but where own time is said."""

from pydantic import BaseModel, ConfigDict, Field


class TradeSettings(BaseModel):
    """How decisions become positions, and how those end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trade: bool = Field(True, description="Send orders: TEST on the paper account, LIVE on the venue (/testmode_off); "
                                          "false: signals only")
    execute_s: float = Field(1.0, ge=0.2, le=3, description="Own seconds between two looks of the execution loop")
    entry_lives_s: float = Field(300.0, ge=10, le=3600, description="An entry that is not filled by then is given up")
    chase_rest_s: float = Field(20.0, ge=1, le=600, description="How long one quote rests before the next")
    chase_requotes: int = Field(11, ge=0, le=60, description="How often an entry is quoted anew at most")
    chase_drift_pct: float = Field(10.0, ge=0, le=50, description="How far beyond the zone the last quote may go, "
                                                                  "% of the distance to the stop")
    emergency: bool = Field(True, description="Whether the rest of an entry may be taken at the market when the chase "
                                              "is at its end, under the conditions below")
    emergency_confidence: float = Field(0.6, ge=0, le=1, description="Least confidence of the decision for it")
    emergency_risk_level: int = Field(3, ge=1, le=5, description="Highest risk level for it")
    emergency_reward: float = Field(1.0, ge=0, le=10, description="Least way to the first target, in ways to the stop")
    emergency_spread_pct: float = Field(0.02, gt=0, le=1, description="Widest spread for it, % of the price")
    emergency_slippage_pct: float = Field(0.05, gt=0, le=1, description="Worst price of it, % beyond the best offer")
    tp1_share_pct: float = Field(50.0, gt=0, lt=100, description="Share of the position closed at the first target; "
                                                                 "the stop goes to the entry then, %")
    max_hold_s: float = Field(604_800.0, ge=300, description="A position that lasts so long is closed")
    equity_every_s: float = Field(60.0, ge=5, le=3600, description="How often equity is recorded")
