"""How many threads work: what sets the number, and a process that is forked in between."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import minigen as mg
from minigen import threads


@pytest.fixture(autouse=True)
def as_before():
    before = threads.threads()
    yield
    threads.set_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None])
def test_a_wrong_number_is_a_sentence_and_changes_nothing(count):
    mg.set_threads(2)
    with pytest.raises(ValueError, match="set_threads: wants a whole number of at least 1, got"):
        mg.set_threads(count)
    assert threads.threads() == 2


@pytest.mark.parametrize("count", [1, 3])
def test_minigen_threads_sets_the_number(count):
    code = "from minigen import threads; print(threads.threads())"
    environment = os.environ | {"MINIGEN_THREADS": str(count)}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == str(count)


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", ""])
def test_a_wrong_minigen_threads_is_a_sentence(wrong):
    environment = os.environ | {"MINIGEN_THREADS": wrong}
    run = subprocess.run([sys.executable, "-c", "import minigen"], env=environment, capture_output=True, text=True)
    assert run.returncode and f"MINIGEN_THREADS is {wrong!r}, wants a whole number of at least 1" in run.stderr


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 3, 100])
def test_shares_make_up_the_whole_in_order(count, n):
    mg.set_threads(count)
    shares = threads.shared(lambda i, j: list(range(i, j)), n)
    assert [i for share in shares for i in share] == list(range(n))


def test_an_error_in_any_share_comes_out_and_leaves_the_threads_working():
    mg.set_threads(3)

    def work(i, j):
        if j == 30:
            raise KeyError("the last share")
        return j - i

    with mg.using("numpy"):
        with pytest.raises(KeyError, match="the last share"):
            threads.shared(work, 30)
        assert sum(threads.shared(lambda i, j: j - i, 30)) == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    """The parent's are not there in the child, which would wait for them for ever."""
    mg.set_threads(2)
    with mg.using("numpy"):
        x, w = np.ones((4, 20, 20, 16)), np.ones((3, 3, 16, 8))
        here = mg.conv2d(x, w)  # the parent's threads have begun
        child = os.fork()
        if not child:
            signal.alarm(30)
            os._exit(0 if np.array_equal(mg.conv2d(x, w), here) else 1)
    assert os.waitpid(child, 0)[1] == 0, "0: the same numbers; 14: it waited for ever"
