"""An interruption never falls into what belongs together."""

import signal
import threading

import pytest

from zsad.errors import Terminated
from zsad.stream.interrupts import held_interrupts, termination_as_interrupt


@pytest.fixture(autouse=True)
def usual_handler():
    """As in a shell's foreground; a background job of a script ignores interruptions."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_comes_after_the_block():
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with held_interrupts():
            signal.raise_signal(signal.SIGINT)
            steps.append("rest of the block")
        steps.append("after the block")
    assert steps == ["rest of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interruption_comes_at_once():
    steps = []
    with pytest.raises(KeyboardInterrupt), held_interrupts():
        signal.raise_signal(signal.SIGINT)
        steps.append("held")
        signal.raise_signal(signal.SIGINT)
        steps.append("too late")
    assert steps == ["held"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_is_passed_on():
    with pytest.raises(ValueError, match="its own"), held_interrupts():
        raise ValueError("its own")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_ignored_interruptions_are_left_alone():
    seen = []

    def work():
        with held_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.default_int_handler, signal.SIG_IGN]


def test_the_systems_request_to_end_is_an_interruption_and_is_held_like_one():
    steps = []
    with pytest.raises(Terminated), termination_as_interrupt():
        with held_interrupts():
            signal.raise_signal(signal.SIGTERM)
            steps.append("rest of the block")
        steps.append("after the block")
    assert steps == ["rest of the block"] and issubclass(Terminated, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_who_has_decided_what_happens_at_the_end_keeps_it():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("mine"))
    try:
        with termination_as_interrupt():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["mine"]
