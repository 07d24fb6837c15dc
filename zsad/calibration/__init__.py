"""Thresholds from good parts, with a statement that holds whatever their scores look like; and the test for drift.

``measure`` scores parts, ``choice`` sets thresholds by what ``order`` says of them, ``good_parts`` puts it together;
``check`` watches rows for ``drift``.
"""

from zsad.calibration.check import Drift, check_drift
from zsad.calibration.good_parts import Calibration, Misses, calibrate

__all__ = ["Calibration", "Drift", "Misses", "calibrate", "check_drift"]
