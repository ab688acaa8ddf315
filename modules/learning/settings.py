"""Settings of the learning: features, labels, training."""

from pydantic import BaseModel, ConfigDict, Field


class LearningSettings(BaseModel):
    """How models are trained and when (A5, A8, A9)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_after_h: float = Field(6.0, gt=0, le=72, description="Hours until a candidate is labelled")
    label_growth_pct: float = Field(5.0, gt=0, description="Growth that makes the label 1, %")
    label_any_time: bool = Field(False, description="Label 1 if reached at any time within, not only at the end")
    candles: int = Field(1000, ge=200, le=5000, description="5m candles a token model learns from")
    trees: int = Field(100, ge=10, le=2000, description="Trees of a model")
    leaves: int = Field(31, ge=4, le=255, description="Leaves of a tree")
    min_rows: int = Field(200, ge=50, description="Fewest rows a model is trained from")
    jobs: int = Field(1, ge=1, le=64, description="Models trained at once")
    approve_lift: float = Field(1.2, ge=1, le=5, description="A model approves above the base rate times this")
    approve_confidence: float = Field(0.8, ge=0, le=1, description="Confidence that counts as approved")
    cost_side_pct: float = Field(0.2, ge=0, le=5, description="Fee, half spread, slippage a side in net results, %")
    bootstrap_symbols: int = Field(240, ge=5, le=2500, description="Tokens whose past teaches the first feedback model")
    bootstrap_candles: int = Field(4000, ge=500, le=50_000, description="5m candles of each of them, at first")
    bootstrap_most_candles: int = Field(
        16_000, ge=500, le=50_000, description="5m candles of each at most; doubled while the model shows no edge"
    )
    label_every_s: float = Field(300.0, gt=0, description="Market seconds between looks for candidates to label")
    pending_every_h: float = Field(6.0, gt=0, description="Hours until a token that had too little data is tried again")
    feedback_new_labels: int = Field(100, ge=1, description="New labels that start a feedback training early")
    feedback_every_h: float = Field(6.0, gt=0, description="Hours between trainings of the feedback model")
    half_life_days: float = Field(
        60.0, ge=1, le=3650, description="Age at which a candidate teaches the feedback model half as much, days"
    )
    false_alarm_days: float = Field(
        180.0, ge=5, le=3650, description="A model that keeps its promise is retired by mistake once in so many days"
    )
    seed: int = Field(7, description="Seed of every training")
