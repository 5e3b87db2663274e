import os
import signal
import sys

from mlp.worker.vital_signs import VitalSigns


def test_process_that_has_shown_nothing_is_unknown() -> None:
    assert VitalSigns().of(os.getpid()) is None


def test_signs_follow_what_the_process_does() -> None:
    signs = VitalSigns()
    signs.begin(7)
    began = signs.of(7)
    signs.look()
    signs.begin_job()
    at_job = signs.of(7)
    signs.end_job()
    signs.show()
    ended = signs.of(7)

    assert began is not None
    assert at_job is not None
    assert ended is not None
    assert [began.is_at_job, at_job.is_at_job, ended.is_at_job] == [False, True, False]
    assert began.looked_at <= at_job.looked_at == ended.looked_at <= ended.shown_at


def test_place_of_another_process_is_not_taken_for_ones_own() -> None:
    signs = VitalSigns()
    signs.begin(7)

    assert signs.of(7 + 512) is None


if sys.platform != "win32":  # where processes are not forked

    def test_parent_sees_what_a_forked_process_shows() -> None:
        signs = VitalSigns()
        pid = os.fork()
        if pid == 0:
            signs.begin(os.getpid())
            signs.begin_job()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)

        sign = signs.of(pid)
        assert sign is not None
        assert sign.is_at_job
