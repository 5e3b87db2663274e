"""A fork waits for the threads inside the gate; tried in processes of their own, which have no other threads."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="only on systems with fork")

BEGIN = """
import os, sys, threading, warnings

from mlp.worker.fork_gate import ForkGate

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads, which this is about
gate = ForkGate()
is_inside, may_leave = threading.Event(), threading.Event()

def stay():
    with gate.inside():
        is_inside.set()
        may_leave.wait(30)

def child_ends_well(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def can_be_taken():
    taken = []
    thread = threading.Thread(target=lambda: gate.around(lambda: taken.append(True))())
    thread.start()
    thread.join(10)
    return bool(taken)
"""


def run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_fork_waits_until_the_thread_inside_has_left() -> None:
    script = """
thread = threading.Thread(target=stay)
thread.start()
is_inside.wait(30)
order = []
leaver = threading.Timer(0.3, lambda: (order.append("left"), may_leave.set()))
leaver.start()
pid = os.fork()
if pid == 0:
    os._exit(0 if can_be_taken() else 1)
order.append("forked")
print(*order, child_ends_well(pid), can_be_taken())
"""

    assert run(script) == ["left", "forked", "True", "True"]


def test_child_of_a_fork_outside_can_take_the_gate_and_so_can_the_parent() -> None:
    script = """
pid = os.fork()
if pid == 0:
    os._exit(0 if can_be_taken() else 1)
print(child_ends_well(pid), can_be_taken())
"""

    assert run(script) == ["True", "True"]


def test_thread_that_stays_inside_holds_a_fork_up_for_a_while_only() -> None:
    script = """
thread = threading.Thread(target=stay)
thread.start()
is_inside.wait(30)
pid = os.fork()
if pid == 0:
    os._exit(0 if can_be_taken() else 1)
print(child_ends_well(pid), can_be_taken() if may_leave.set() is None else None)
"""

    assert run(script) == ["True", "True"]


def test_failing_work_leaves_the_gate_open() -> None:
    script = """
try:
    gate.around(lambda: 1 / 0)()
except ZeroDivisionError:
    print("raised")
print(can_be_taken())
"""

    assert run(script) == ["raised", "True"]
