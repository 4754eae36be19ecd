"""An iterator that is run ahead: everything in its order, the error after it, and only so much waiting."""

import threading
import time
from collections.abc import Iterator

import pytest

from reports.provider.ahead import Ahead


def one(_: object) -> int:
    return 1


def counted(most: int, taken: list[int], fails: BaseException | None = None) -> Iterator[int]:
    for number in range(most):
        taken.append(number)
        yield number
    if fails is not None:
        raise fails


def settled(taken: list[int]) -> int:
    """How many were taken once no more are."""
    while True:
        before = len(taken)
        time.sleep(0.05)
        if len(taken) == before:
            return before


def test_everything_comes_in_its_order():
    assert list(Ahead(counted(1000, []), one, 3)) == list(range(1000))


def test_an_error_comes_after_what_came_before_it():
    ahead = Ahead(counted(3, [], ValueError("no more")), one, 10)
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no more"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_only_so_much_waits_and_one_item_may_be_heavier():
    taken: list[int] = []
    ahead = Ahead(counted(100, taken), one, 4)
    assert next(ahead) == 0
    assert settled(taken) == 5  # one is out, four wait
    ahead.close()
    heavy: list[int] = []
    ahead = Ahead(counted(100, heavy), lambda _: 1000, 4)
    assert next(ahead) == 0
    assert settled(heavy) == 2
    assert list(ahead) == list(range(1, 100))


def test_nothing_is_asked_before_it_is_wanted_nor_after_it_is_closed():
    taken: list[int] = []
    ahead = Ahead(counted(100, taken), one, 2)
    assert settled(taken) == 0
    assert next(ahead) == 0
    assert settled(taken) == 3
    assert ahead.ready
    ahead.close()
    assert settled(taken) == 3
    assert list(ahead) == []


def test_no_thread_is_left():
    for most in (1, 50):
        ahead = Ahead(counted(20, []), one, most)
        assert next(ahead) == 0
        ahead.close()
    list(Ahead(counted(20, []), one, 5))
    ended = time.monotonic() + 5
    while any(thread.name == "ahead" for thread in threading.enumerate()) and time.monotonic() < ended:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
