"""The ground's height from any elevation model, as autopilots count it (EGM96)."""

from maps.terrain.dem import Dem, open_dems
from maps.terrain.dem_said import DemSaid

__all__ = ["Dem", "DemSaid", "open_dems"]
