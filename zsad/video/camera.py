"""A live source as a video: read by a thread of its own, connected again when it breaks, never far behind.

Whoever works on frames gets the newest ones: what it has no time for is dropped and counted, so that what is said is
said of now. Indices count all frames that came, those that were dropped among them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path

from zsad.errors import InputError, ZsadError
from zsad.outside import printable
from zsad.video.feeds import Feed, Shot, feed_of
from zsad.video.frames import Frame, Video

_PATIENCE = 0.1
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
"""Seconds before a lost source is connected again: doubled each time, up to the second."""
_TRIES = 4
"""Connections without a frame, at the beginning, after which there is no source."""
_APART = 5.0
"""Seconds by which a source's own clock may be off ours before it is set anew."""
_LEAVE = 1.0

Say = Callable[[str], None]


class Camera(Video):
    """A live source. It is connected when it is made, and read from then on until it is closed.

    Args:
        source: see :func:`zsad.video.feeds.feed_of`.
        waiting: frames that wait for whoever works on them; of more, the oldest is dropped.
        give_up: seconds without a frame after which it is an error; None waits for ever.
        say: told in one line each when the source is lost, and when it is back.
        tap: called with each frame as it comes, in the thread that reads.

    Attributes:
        dropped: frames that nobody had time for.
        connections: how often the source was connected.

    Raises:
        InputError: it can't be connected to at first.
        UsageError: an address that is none.
    """

    def __init__(
        self,
        source: str | Path | Feed,
        *,
        waiting: int = 2,
        give_up: float | None = None,
        say: Say = lambda line: None,
        tap: Callable[[Frame], None] = lambda frame: None,
    ) -> None:
        feed = source if isinstance(source, Feed) else feed_of(source)
        super().__init__(feed.shown, feed.name, "camera")
        self.ahead = 1
        self._feed, self._give_up, self._say, self._tap = feed, give_up, say, tap
        self.dropped = self.connections = self.received = 0
        self._change = threading.Condition()
        self._waiting: deque[tuple[Frame, float]] = deque()
        self._most = max(1, waiting)
        self._stopped = self._ended = False
        self._failure: BaseException | None = None
        self._zero = self._last = 0.0
        self._offset: float | None = None
        self._heard = time.monotonic()
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=8192)
        self._thread = threading.Thread(target=self._run, name="zsad-camera", daemon=True)
        self._thread.start()
        self._await_first()

    def stop(self) -> None:
        """Let the frames come to an end, soon; may be called from a signal's handler."""
        self._stopped = True

    def close(self) -> None:
        """Let go of the source."""
        self._stopped = True
        self._thread.join(_LEAVE)  # one that waits for the network can't be woken, and ends with the process

    def age(self, index: int) -> float:
        """Return how many seconds ago a frame came; 0 for one that is too old to be known."""
        with self._change:
            return next((time.monotonic() - came for number, came in reversed(self._arrivals) if number == index), 0.0)

    def every(self) -> Generator[Frame, None, None]:
        """Yield frames as they come, the newest where there are too many."""
        while True:
            with self._change:
                while not (self._waiting or self._ended or self._stopped):
                    self._change.wait(_PATIENCE)
                    self._check_patience()
                if self._stopped or not self._waiting:
                    break
                frame, came = self._waiting.popleft()
                self._arrivals.append((frame.index, came))
            self.read = frame.index + 1
            yield frame
        if self._failure is not None:
            self.fault = str(self._failure)

    def _check_patience(self) -> None:
        silent = time.monotonic() - self._heard
        if self._give_up is not None and silent > self._give_up:
            raise InputError(f"{self._feed.shown}: the camera has vanished, no frame for {silent:.0f} s")

    def _await_first(self) -> None:
        with self._change:
            while not (self._waiting or self._ended):
                self._change.wait(_PATIENCE)
        if not self._waiting:
            raise self._failure or InputError(f"{self._feed.shown}: not one frame came")

    def _run(self) -> None:
        """Read for as long as it is wanted; what breaks is connected again."""
        wait = _FIRST_WAIT
        failure: ZsadError | None = None
        while not self._stopped:
            failure = None
            before = self.received
            self._offset = None
            try:
                self.connections += 1
                for shot in self._feed.shots(lambda: self._stopped):
                    self._take(shot, before)
            except ZsadError as error:
                failure = error
            except Exception as error:  # a decoder may raise anything; the thread must not die of it unnoticed
                failure = InputError(f"{self._feed.shown}: {printable(error)[:120]}")
            # A server that has just begun may close a connection before its first frame; a refusal is final at first.
            never = not self.received and (failure is not None or self.connections >= _TRIES)
            if self._stopped or not self._feed.endless or never or isinstance(failure, _OtherSizeError):
                break
            wait = _FIRST_WAIT if self.received > before else min(2 * wait, _LONGEST_WAIT)
            self._say(f"{failure or f'{self._feed.shown}: the stream ended'}; connecting again in {wait:g} s")
            until = time.monotonic() + wait
            while time.monotonic() < until and not self._stopped:
                time.sleep(_PATIENCE)
        with self._change:
            self._ended, self._failure = True, None if self._stopped else failure
            self._change.notify_all()

    def _take(self, shot: Shot, before: int) -> None:
        now = time.monotonic()
        self._heard = now
        if not self.received:
            (self.width, self.height), self.fps, self._zero = shot.size, shot.rate, now
        elif self.received == before:
            self._say(f"{self._feed.shown}: is back, after {self.received:,} frames")
        if shot.size != (self.width, self.height):
            sizes = f"{shot.size[0]} x {shot.size[1]} pixels where it had {self.width} x {self.height}"
            raise _OtherSizeError(f"{self._feed.shown}: its frames have {sizes}; start again")
        frame = shot.frame(self.received, self._time(shot, now - self._zero))
        self._tap(frame)
        with self._change:
            self.received += 1
            if len(self._waiting) >= self._most:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((frame, now))
            self._change.notify_all()

    def _time(self, shot: Shot, now: float) -> float:
        """Return a frame's seconds: by the source's clock while it goes as ours does, since frames come in bursts."""
        least = self._last + (0.2 / shot.rate if shot.rate else 0.0) if self.received else 0.0
        if shot.time is None:
            self._last = max(now, least)
            return self._last
        if self._offset is None or abs(shot.time + self._offset - now) > _APART:
            self._offset = max(now, least) - shot.time
        self._last = max(shot.time + self._offset, least)
        return self._last


class _OtherSizeError(InputError):
    """Frames of another size: what was learned of the picture holds no longer."""
