"""The metrics of several workers in one answer, which Prometheus accepts."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from signalbox.webapp.http.merged_metrics import merged

TEXT = """# HELP signalbox_problem 1 for each current problem.
# TYPE signalbox_problem gauge
signalbox_problem{{code="a }} b, \\"c"}} {n}.0
# HELP signalbox_commits Transactions.
# TYPE signalbox_commits gauge
signalbox_commits {n}.0
# HELP signalbox_process_info 1.
# TYPE signalbox_process_info gauge
signalbox_process_info{{process="p",worker="{n}"}} 1.0
"""


def test_each_sample_has_the_label_of_its_worker_and_each_metric_one_help_text() -> None:
    text = merged({2: TEXT.format(n=2), 1: TEXT.format(n=1)})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == text.count("# HELP") == text.count("# TYPE") == 3
    for name, family in families.items():
        assert [sample.labels["worker"] for sample in family.samples] == ["1", "2"], name
    assert [sample.value for sample in families["signalbox_commits"].samples] == [1, 2]
    assert {sample.labels["code"] for sample in families["signalbox_problem"].samples} == {'a } b, "c'}
