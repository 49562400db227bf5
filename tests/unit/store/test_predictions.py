"""The store keeps what was put, once, and says clearly when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kdeval.errors import StoreError
from kdeval.records import Response, Timing
from kdeval.store import predictions
from kdeval.store.predictions import PredictionStore, response_key


def _full() -> Response:
    return Response(
        output="ja\u0000\ud7ff",
        log_probs={"a": -0.5, "b": float("-inf")},
        greedy=(True, False),
        confidence=0.6,
        score=1.0,
        input_tokens=3,
        output_tokens=0,
        timing=Timing(origin="recorded", total_s=0.25),
        cost_usd=0.0,
    )


def test_a_response_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every field survives, zero stays zero and absent stays absent."""
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": _full(), "e": Response(error="boom")})
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        assert store.get(["k", "e", "missing"]) == {"k": _full(), "e": Response(error="boom")}


def test_errors_are_not_answers_and_may_be_replaced(tmp_path: Path) -> None:
    """An error is asked again, and its answer replaces it; an answer is never replaced."""
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": Response(error="timeout")})
        assert store.answered(["k"]) == set()
        store.put({"k": Response(output="first")})
        store.put({"k": Response(output="second")})
        assert store.answered(["k"]) == {"k"}
        assert store.get(["k"])["k"].output == "first"


def test_more_keys_than_sqlite_takes_at_once(tmp_path: Path) -> None:
    """Look-ups are chunked."""
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({str(index): Response(output=str(index)) for index in range(3_000)})
        assert len(store.get([str(index) for index in range(4_000)])) == 3_000
        assert len(store) == 3_000


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    """The write-ahead log is folded in, so that the file alone can be copied."""
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": _full()})
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"predictions.sqlite", "predictions.sqlite.lock"}


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """One writer at a time, across processes."""
    program = (
        "import sys; from pathlib import Path; from kdeval.store.predictions import *\n"
        "try: PredictionStore(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with PredictionStore(tmp_path / "predictions.sqlite"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "predictions.sqlite")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout.startswith("StoreError")
    assert "another kdeval process" in done.stdout


def _read_all(file: Path) -> None:
    with PredictionStore(file) as store:
        for index in range(2_000):
            store.get([f"{index:064d}"])


@pytest.mark.parametrize("damage", ["garbage", "truncated", "flipped"])
def test_a_corrupted_store_says_so(tmp_path: Path, damage: str) -> None:
    """A damaged file is a StoreError that names it and the way out, never a wrong answer."""
    file = tmp_path / "predictions.sqlite"
    with PredictionStore(file) as store:
        store.put({f"{index:064d}": _full() for index in range(2_000)})
    data = bytearray(file.read_bytes())
    if damage == "garbage":
        data = bytearray(b"not a database at all" * 100)
    elif damage == "truncated":
        data = data[: len(data) // 2]
    else:
        for position in range(4096, len(data), 512):
            data[position] ^= 0xFF
    file.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"corrupted.*--fresh"):
        _read_all(file)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of another version is not guessed at."""
    file = tmp_path / "predictions.sqlite"
    PredictionStore(file).close()
    monkeypatch.setattr(predictions, "STORE_VERSION", 2)
    with pytest.raises(StoreError, match="store version 1"):
        PredictionStore(file)


def test_keys_separate_models_requests_and_replicates() -> None:
    """Nobody is served anybody else's answer."""
    keys = {
        response_key("teacher", {"input": "x"}),
        response_key("student", {"input": "x"}),
        response_key("teacher", {"input": "y"}),
        response_key("teacher", {"input": "x"}, 1),
    }
    assert len(keys) == 4
    assert response_key("m", {"a": 1, "b": 2}) == response_key("m", {"b": 2, "a": 1})


def test_network_file_systems_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest mount point that holds the file decides."""
    table = f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n"
    real = Path.read_text

    def read_text(self: Path, *args: object, **kwargs: object) -> str:
        return table if str(self) == "/proc/mounts" else real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", read_text)
    with PredictionStore(tmp_path / "predictions.sqlite") as store:
        store.put({"k": Response(output="x")})
        assert not (tmp_path / "predictions.sqlite-wal").exists()
        assert store.answered(["k"]) == {"k"}
