"""System B: a scalper on order flow, indicators and sentiment (docs/SCALPER.md)."""
