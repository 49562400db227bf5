"""A run with a model behind an API: its budget, its costs and its latency."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdeval.compare.compute import compare_run
from kdeval.config.schema import load_config
from kdeval.errors import BudgetError
from kdeval.workflows.evaluate import Evaluated, evaluate
from tests.api_server import ApiServer, Reply

SAMPLES = 12
KEY = "sk-run-0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setenv("RUN_KEY", KEY)
    with ApiServer(lambda body: Reply(content="even")) as running:
        yield running


def run(
    folder: Path, server: ApiServer, *, usd: float = 0.1, fresh: bool = False, **more: object
) -> Evaluated:
    """A run of twelve samples; each costs 10 cents unless told."""
    write_project(folder, server, usd=usd, **more)
    return evaluate(load_config(folder / "kdeval.yaml"), folder / "run", fresh=fresh)


def write_project(folder: Path, server: ApiServer, *, usd: float = 0.1, **more: object) -> None:
    rows = [
        {"id": f"n{i}", "text": f"number {i}", "label": "even" if i % 2 == 0 else "odd"}
        for i in range(SAMPLES)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "suite.yaml").write_text(
        'name: numbers\nkind: classification\ndata: data.jsonl\nid: id\ninput: "{{ text }}"\n'
        'reference: "{{ label }}"\nlabels: [even, odd]\n'
    )
    api: dict[str, object] = {
        "name": "gpt", "type": "api", "model": "openai/gpt-4.1-2025-04-14",
        "api_base": server.url, "api_key_env": "RUN_KEY", "timeout_s": 20, "max_concurrency": 2,
    }  # fmt: skip
    settings = {name: more.pop(name) for name in ("budget_usd", "model") if name in more}
    config: dict[str, object] = {
        "suites": ["suite.yaml"],
        "teacher": api | settings,
        "students": [{"name": "small", "type": "echo"}],
        "costs": {"gpt": {"usd_per_request": usd}},
        **more,
    }
    (folder / "kdeval.yaml").write_text(json.dumps(config))


def test_a_budget_holds_over_several_commands(tmp_path: Path, server: ApiServer) -> None:
    """It stops where it would be passed, stays spent, and a higher one goes on with the rest."""
    with pytest.raises(BudgetError, match=r"\$0\.5000 is spent.*7 of 12 requests have no answer"):
        run(tmp_path, server, budget_usd=0.55)
    assert len(server.asked) == 5
    assert not (tmp_path / "run" / "run.json").exists()
    with pytest.raises(BudgetError, match=r"\$0\.5000 is spent.*7 of 12 requests have no answer"):
        run(tmp_path, server, budget_usd=0.55)
    assert len(server.asked) == 5
    done = run(tmp_path, server, budget_usd=1.25)
    assert len(server.asked) == SAMPLES
    assert "gpt: 7 answered now, 5 known from before" in done.summary
    said = [line for line in done.summary if "$1.2000 spent for this run" in line]
    assert len(said) == 1
    assert said[0].startswith("gpt: $")


def test_starting_over_forgets_answers_and_no_money(tmp_path: Path, server: ApiServer) -> None:
    """--fresh asks everything again, within what is left of the budget; as often as it is used."""
    run(tmp_path, server, budget_usd=2.0)
    assert len(server.asked) == SAMPLES
    for _ in range(2):
        with pytest.raises(BudgetError, match=r"\$2\.0000 is spent.*of 12 requests"):
            run(tmp_path, server, budget_usd=2.0, fresh=True)
        assert len(server.asked) == 20


def test_a_killed_command_leaves_what_it_may_have_spent(tmp_path: Path, server: ApiServer) -> None:
    """By kill -9 with two requests in the air: the next command counts both."""
    server.fault = lambda key, attempt: "hang"
    write_project(tmp_path, server, budget_usd=0.45)
    with subprocess.Popen(
        [sys.executable, "-m", "kdeval", "run", "kdeval.yaml", "--out", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as killed:  # fmt: skip
        while len(server.asked) < 2:
            assert killed.poll() is None, killed.communicate()[0]
            time.sleep(0.02)
        killed.kill()
        killed.communicate()
    with pytest.raises(BudgetError, match=r"\$0.2000 is spent, of it up to \$0.2000 for requests"):
        run(tmp_path, server, budget_usd=0.25)


def test_a_price_that_is_gone_is_not_named(tmp_path: Path, server: ApiServer) -> None:
    """What was spent before stays; nobody knows by what price any more."""
    run(tmp_path, server, model="openai/home-made")
    done = run(tmp_path, server, model="openai/home-made", costs={})
    assert any(line.endswith("gpt: $1.2000 spent for this run") for line in done.summary)
    assert not any("None" in line for line in done.summary)


def test_what_is_refused_again_stops_no_run_that_has_answers(
    tmp_path: Path, server: ApiServer
) -> None:
    """Eleven of twelve requests are refused for what they are: the same command ends each time."""
    server.fault = lambda key, attempt: None if "number 10" in key else "400"
    for known, told in ((0, "1 answered now"), (1, "0 answered now, 1 known from before")):
        done = run(tmp_path, server)
        assert f"gpt: {told}, 11 failed (the same command asks those again)" in done.summary
        assert len(server.asked) == SAMPLES + 11 * known


def test_a_probe_costs_money_and_is_asked_for(tmp_path: Path, server: ApiServer) -> None:
    """Without `latency_probe` in the file every sample is asked once, and the summary says why;
    with it, the probe counts against the budget, and what that pays for stands.
    """
    done = run(tmp_path, server)
    assert len(server.asked) == SAMPLES
    assert any("latency was not probed of gpt" in line for line in done.summary)
    for usd, n in ((1.55, 3), (2.15, 9), (9, 11)):
        done = run(tmp_path, server, latency_probe={"requests": 11, "warmup": 0}, budget_usd=usd)
        assert len(server.asked) == SAMPLES + n
        told = [line for line in done.warnings if "latency" in line]
        assert len(told) == (n < 11)
        for line in told:
            assert f"{n} of 11 requests were measured when it ended with gpt: budget_usd" in line
            assert line.count("the same command goes on") == 1
        assert (done.run.latencies() is not None) == (n >= 8)
    found = compare_run(done.run).students[0].latency
    assert found is not None
    assert (found.source, found.n) == ("probe", 11)


def test_a_probe_that_cannot_begin_withholds_no_answers(tmp_path: Path, server: ApiServer) -> None:
    """The budget ends with the last answer; what the answers themselves took is there."""
    write_project(tmp_path, server, budget_usd=1.2, latency_probe=True)
    config = json.loads((tmp_path / "kdeval.yaml").read_text())
    config["students"] = [{**config["teacher"], "name": "gpt2", "budget_usd": 9}]
    config["costs"]["gpt2"] = config["costs"]["gpt"]
    (tmp_path / "kdeval.yaml").write_text(json.dumps(config))
    told: list[str] = []
    done = evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run", tell=told.append)
    assert told == [
        "latency: 16 more requests of each of gpt, gpt2, one at a time; those of gpt, gpt2 cost "
        "money (`latency_probe: false` leaves them out)"
    ]
    (ended,) = (line for line in done.warnings if "latency" in line)
    assert ended.startswith("latency was not probed: 0 of 12 requests were measured when it ended")
    assert ended.count("the same command goes on") == 1
    found = compare_run(done.run).students[0].latency
    assert found is not None
    assert found.source == "recorded"


def test_a_probe_asks_no_sample_twice(tmp_path: Path, server: ApiServer) -> None:
    """A run of five samples has a probe of five, and as many to warm up at most."""
    write_project(tmp_path, server, latency_probe={"requests": 100, "warmup": 9})
    done = evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run", limit=5)
    assert len(server.asked) == 5 + 5 + 5
    found = compare_run(done.run).students[0].latency
    assert found is not None
    assert found.n == 5


def test_a_probe_without_a_live_pair_is_told(tmp_path: Path, server: ApiServer) -> None:
    """A teacher that is recorded cannot be timed beside its student: asked for, it is a warning."""
    for asked_for in (True, False):
        write_project(tmp_path, server, **({"latency_probe": True} if asked_for else {}))
        config = json.loads((tmp_path / "kdeval.yaml").read_text())
        log = "".join(json.dumps({"id": f"n{i}", "said": "even"}) + "\n" for i in range(SAMPLES))
        (tmp_path / "log.jsonl").write_text(log)
        config["students"] = [config["teacher"]]
        config["teacher"] = {"name": "logged", "type": "recorded", "path": "log.jsonl",
                             "columns": {"id": "id", "output": "said"}}  # fmt: skip
        (tmp_path / "kdeval.yaml").write_text(json.dumps(config))
        done = evaluate(load_config(tmp_path / "kdeval.yaml"), tmp_path / "run")
        told = [line.partition(":")[2] for line in done.warnings if "latency" in line]
        assert told == [" the answers of logged are recorded"] * asked_for
    assert len(server.asked) == SAMPLES


def test_a_changed_price_holds_for_known_answers(tmp_path: Path, server: ApiServer) -> None:
    """What the configuration says now comes before what was worked out when they were given."""
    for usd in (0.1, 0.4):
        done = run(tmp_path, server, usd=usd)
        cost = compare_run(done.run).students[0].cost
        assert cost is not None
        assert cost.teacher_usd == pytest.approx(usd)
        assert done.run.manifest.teacher.price_source == "the configured price"
    assert len(server.asked) == SAMPLES


def test_no_file_of_the_run_holds_the_key(tmp_path: Path, server: ApiServer) -> None:
    """Though the server answers with it."""
    server.answer = lambda body: Reply(content=f"your key is {KEY}")
    run(tmp_path, server)
    for file in (tmp_path / "run").iterdir():
        assert KEY.encode() not in file.read_bytes(), file
