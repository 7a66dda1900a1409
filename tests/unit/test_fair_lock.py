"""The fair lock: order, places, re-entrancy, and callers that leave."""

import threading

import pytest

from captioning.fair_lock import FairLock

PATIENCE = 30  # seconds; a lock that never wakes its waiters fails a test instead of blocking it


def start(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_for(condition):
    moment = threading.Event()
    for _ in range(100 * PATIENCE):
        if condition():
            return
        moment.wait(0.01)
    raise AssertionError("waited too long")


def join(threads):
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_callers_are_served_in_order_and_see_their_place():
    lock, order, places, threads = FairLock(), [], {}, []

    def come(number):
        with lock.take(places.setdefault(number, []).append):
            order.append(number)

    with lock.take():
        for number in range(4):
            threads.append(start(lambda number=number: come(number)))
            wait_for(lambda number=number: lock.length == number + 2 and places.get(number))
    join(threads)
    assert order == [0, 1, 2, 3]
    for number, seen in places.items():
        assert seen[0] == number + 1
        assert seen == sorted(set(seen), reverse=True)
    assert lock.length == 0


def test_callers_that_do_not_ask_for_their_place_are_woken_too():
    lock, order, threads = FairLock(), [], []

    def come(number):
        with lock.take():
            order.append(number)

    with lock.take():
        for number in range(3):
            threads.append(start(lambda number=number: come(number)))
            wait_for(lambda number=number: lock.length == number + 2)
        assert order == []
    join(threads)
    assert order == [0, 1, 2]


def test_a_caller_that_leaves_does_not_stop_the_queue():
    lock, left = FairLock(), []

    def leave(place):
        raise KeyError(place)

    def come():
        with pytest.raises(KeyError), lock.take(leave):
            pass
        left.append(True)

    with lock.take():
        join([start(come)])
        assert left and lock.length == 1
    with lock.take(leave):  # nobody is ahead, so `leave` is not called
        assert lock.length == 1


def test_the_holder_can_take_the_lock_again_and_keeps_it():
    lock, order = FairLock(), []

    def second():
        with lock.take():
            order.append("second")

    with lock.take():
        with lock.take(), lock.take():
            pass
        other = start(second)
        wait_for(lambda: lock.length == 2)
        with lock.take():
            order.append("first")
        assert lock.length == 2
    join([other])
    assert order == ["first", "second"]
    assert lock.length == 0


def test_an_error_of_the_holder_frees_the_lock():
    lock, served = FairLock(), []
    with pytest.raises(ValueError), lock.take():
        raise ValueError

    def come():
        with lock.take():
            served.append(True)

    join([start(come)])
    assert served
