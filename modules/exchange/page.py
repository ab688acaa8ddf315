"""The shared page of numbers, by the name that this room uses; it lies in `utils.page`."""

from utils.page import SPIN_S, Busy, Page, SharedPage, peek

__all__ = ["SPIN_S", "Busy", "Page", "SharedPage", "peek"]
