import logging

from onboard.runtime.problem_log import LASTS_S, ProblemLog


def said(caplog, notes):
    """(part, problem, s) of each report into what the log says."""
    problems = ProblemLog()
    with caplog.at_level(logging.INFO, "onboard.runtime.problem_log"):
        for part, problem, now_s in notes:
            problems.note(part, problem, now_s)
    return [(r.levelname, r.getMessage()) for r in caplog.records]


def test_a_lasting_problem_is_said_once_and_so_is_its_end(caplog):
    notes = [("camera", f"no frame for {s} s", float(s)) for s in range(20)]
    notes += [("camera", "", 20.0), ("camera", "", 21.0)]
    assert said(caplog, notes) == [
        ("WARNING", f"camera: no frame for {LASTS_S:.0f} s"),
        ("INFO", "camera: works again"),
    ]


def test_a_moments_problem_is_not_said(caplog):
    notes = [("link", "no heartbeat" if s % 3 else "", float(s)) for s in range(20)]
    assert said(caplog, notes) == []


def test_each_part_for_itself_and_every_time_anew(caplog):
    notes = []
    for start_s in (0.0, 10.0):
        notes += [("link", "silent", start_s), ("camera", "", start_s)]
        notes += [("link", "silent", start_s + LASTS_S), ("camera", "gone", start_s + LASTS_S)]
        notes += [("link", "", start_s + LASTS_S + 1), ("camera", "", start_s + LASTS_S + 1)]
    once = [("WARNING", "link: silent"), ("INFO", "link: works again")]
    assert said(caplog, notes) == once * 2
