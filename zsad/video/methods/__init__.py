"""Methods that look at every frame: its map, its motion, or both; with normal footage, what is unusual for that camera.

Each is a ``VideoScorer``; beyond that it gives one ``Look`` for each frame, by which events get a place and pages get
heat. ``normal`` learns from footage without anomalies.
"""

from zsad.video.methods.look import FrameMethod, Look, Sampling
from zsad.video.methods.map_method import MAP_SCORES, MapMethod
from zsad.video.methods.motion_method import FusedMethod, MotionMethod
from zsad.video.methods.normal import NormalFootage

__all__ = ["MAP_SCORES", "FrameMethod", "FusedMethod", "Look", "MapMethod", "MotionMethod", "NormalFootage", "Sampling"]
