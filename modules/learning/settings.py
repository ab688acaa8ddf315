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
    feedback_every_h: float = Field(6.0, gt=0, description="Hours between trainings of the feedback model")
    seed: int = Field(7, description="Seed of every training")
