"""`signalbox doctor` finds what is wrong with a PostgreSQL database and its server, and says for each what to do."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from signalbox.store import NewEvent, open_store
from signalbox.store.postgresql import doctor
from signalbox.store.sql.findings import Finding
from signalbox.webapp.cli import cli
from tests.support import postgres
from tests.support.daemon import free_port
from tests.support.postgres import Cluster
from tests.support.varied_log import record, varied_log

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.fixture
def used(url: str) -> str:
    """Return the URL of a database with two tasks and nothing wrong."""
    store = open_store(url)
    store.import_task(record("run", 1), varied_log("run", 300, 1))
    store.append("other", [NewEvent(event_type="log"), NewEvent(event_type="runner_heartbeat")])
    store.create_task("empty")
    store.close()
    return url


def execute(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def found(findings: list[Finding], code: str, words: str) -> bool:
    return any(finding.code == code and words in finding.message for finding in findings)


@pytest.mark.long
@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("UPDATE tasks SET last_seq = 99 WHERE task_id = 'other'", "counter", "99"),
        ("DELETE FROM task_events WHERE task_id = 'run' AND seq = 2", "counter", "#1 to"),
        ("UPDATE log_position SET last_event_id = 1", "counter", "event id"),
        ("DELETE FROM log_position", "counter", "None"),
        (
            "UPDATE tasks SET state = replace(state, '\"running\"', '\"done\"') WHERE task_id = 'other'",
            "projection",
            "status",
        ),
        ("UPDATE tasks SET state = 'no JSON' WHERE task_id = 'run'", "projection", "cannot be read"),
        ("DELETE FROM task_spans WHERE task_id = 'run'", "projection", "spans"),
        ("DELETE FROM task_permissions", "projection", "permissions"),
        ("UPDATE task_checkpoints SET task_id = 'nobody'", "loose_row", "task_checkpoints"),
        ("DROP INDEX task_events_phase", "no_index", "task_events_phase"),
        ("INSERT INTO migrations VALUES ('999_future', '')", "too_new", "999_future"),
        ("DELETE FROM migrations WHERE name LIKE '001%'", "old", "001"),
    ],
)
def test_the_doctor_finds_inconsistencies(used: str, sql: str, code: str, words: str) -> None:
    assert list(doctor.examine(used)) == []
    execute(used, sql)
    findings = list(doctor.examine(used))
    assert found(findings, code, words), findings
    assert all(finding.advice for finding in findings)


def test_an_empty_database_and_an_unreachable_server_are_named(cluster: Cluster, url: str) -> None:
    assert [finding.code for finding in doctor.examine(url)] == ["foreign"]
    away = cluster.url("postgres", password="s3cr3t").replace(f":{cluster.port}/", f":{free_port()}/")
    (finding,) = doctor.examine(away)
    assert finding.code == "unreachable"
    assert "s3cr3t" not in finding.message


def test_another_encoding_is_named(cluster: Cluster) -> None:
    name = f"latin_{uuid.uuid4().hex}"
    cluster.sql(f"CREATE DATABASE {name} ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
    assert found(list(doctor.examine(cluster.url(name, password="secret"))), "encoding", "LATIN1")


def test_missing_rights_are_named(cluster: Cluster, used: str) -> None:
    user, database = f"guest_{uuid.uuid4().hex[:8]}", used.rpartition("/")[2]
    cluster.sql(f"CREATE USER {user} PASSWORD 's3cr3t'")
    execute(used, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")
    assert found(list(doctor.examine(cluster.url(database, user=user, password="s3cr3t"))), "rights", "task_events")


def test_a_clock_that_differs_is_named(used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The server has the clock of this machine, so its answer is changed.
    answer = doctor._one

    def later(connection: psycopg.Connection[Any], sql: str) -> Any:
        found = answer(connection, sql)
        return found + timedelta(minutes=1) if isinstance(found, datetime) else found

    monkeypatch.setattr(doctor, "_one", later)
    assert found(list(doctor.examine(used)), "clock", "60 s ahead of")


def test_a_long_transaction_and_a_lack_of_connections_are_named(used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(f"{used}?application_name=forgotten") as connection:
        connection.execute("SELECT 1")
        assert list(doctor.examine(used)) == []
        monkeypatch.setattr(doctor, "LONG_TRANSACTION", 0)
        monkeypatch.setattr(doctor, "FEW_CONNECTIONS", 100)
        findings = list(doctor.examine(used))
    assert found(findings, "long_transaction", "forgotten")
    assert found(findings, "connections", "connections of the server are in use")


def test_the_command_prints_its_findings_and_exits_with_1(used: str) -> None:
    ask = ["doctor", "--store", used]
    well = CliRunner().invoke(cli, ask, standalone_mode=False)
    assert well.return_value == 0
    assert well.output.startswith("PostgreSQL ")
    assert well.output.endswith(": no problems found\n")
    assert "secret" not in well.output
    execute(used, "UPDATE tasks SET last_seq = 99 WHERE task_id = 'other'")
    ill = CliRunner().invoke(cli, ask, standalone_mode=False)
    assert ill.return_value == 1
    assert "counter: task other: the counter is 99" in ill.output
