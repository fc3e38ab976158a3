"""A simulated platform with an answer key.

>>> from trend.simulator import SimulatorSettings, simulate
>>> truth = simulate(SimulatorSettings(days=3, reels_per_day=6000)).truth
>>> truth.reels, len(truth.trends), sorted({trend.kind for trend in truth.trends})
(18000, 6, ['challenge', 'hashtag', 'phrase', 'sound'])
"""

from trend.simulator.settings import SimulatorSettings
from trend.simulator.simulation import Simulation, simulate
from trend.simulator.truth import Truth

__all__ = ["Simulation", "SimulatorSettings", "Truth", "simulate"]
