"""Figures of language models on the same texts, from rows written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdeval.compare.token_fidelity import without_text
from kdeval.compare.tokens_compared import token_fidelity_of
from kdeval.store.run_directory import RunDirectory
from kdeval.store.tokens import TokenWriter, read_settings

KEY = {"suite": "x", "student": "small"}


def _token_columns(kl: list[float], start: int = 0) -> dict[str, Any]:
    n = len(kl)
    flat = dict.fromkeys(
        ("teacher_log_prob", "student_log_prob"), np.full(n, -1.0)
    ) | dict.fromkeys(("js", "teacher_entropy", "student_entropy"), np.full(n, 0.25))
    hot = {f"{name}_at": flat[name] / 5 for name in ("js", "teacher_entropy", "student_entropy")}
    return {
        "position": list(range(n)),
        "token": [f"t{start + i} " for i in range(n)],
        "same_top": np.array(kl) < 1,
        "teacher_top": ["Paris"] * n,
        "student_top": ["Rome"] * n,
        "teacher_top_log_prob": np.full(n, -0.5),
        "student_top_log_prob": np.full(n, -0.7),
        "kl": np.array(kl),
        "kl_at": np.array(kl) / 10,
        **flat,
        **hot,
    }


def write(run: RunDirectory, texts: list[list[float] | str], temperature: float = 2.0) -> None:
    """One text a sample: KL by token, or the reason why it was left out."""
    settings = {"text": "teacher_output", "temperature": temperature}
    with TokenWriter(run.path, settings) as writer:
        for index, kl in enumerate(texts):
            row: dict[str, Any] = {**KEY, "sample_id": f"s{index}"}
            if isinstance(kl, str):
                writer.add({**row, "reason": kl}, None)
                continue
            row |= {"bytes": 10 * len(kl), "teacher_bits": 8.0 * len(kl),
                    "student_bits": 9.0 * len(kl) + index, "teacher_tokens": len(kl),
                    "student_tokens": len(kl), "same_tokens": True,
                    "same_prompt": index > 0}  # fmt: skip
            writer.add(row, _token_columns(kl))


@pytest.fixture
def run(write_run: Any) -> RunDirectory:
    rows = [{"ref": "a", "teacher": "a", "student": "a"} for _ in range(6)]
    made: RunDirectory = write_run(rows, labels=None)
    return made


def one(run: RunDirectory) -> Any:
    [[found]] = token_fidelity_of(run, 0.95).values()
    return found


def test_a_run_without_them_has_none(run: RunDirectory) -> None:
    """Nothing was asked for, nothing is told."""
    assert token_fidelity_of(run, 0.95) == {}


def test_means_are_by_token_and_intervals_by_text(run: RunDirectory) -> None:
    """A long text counts by its tokens in the mean, and once in the interval."""
    write(run, [[0.0, 2.0], [1.0, 1.0, 1.0, 5.0], [0.0], "the answer is empty"])
    found = one(run)
    assert (found.texts, found.tokens, found.own_prompts) == (3, 7, 1)
    assert found.left_out == {"the answer is empty": 1}
    plain, hot = found.apart
    assert (plain.temperature, hot.temperature) == (1.0, 2.0)
    assert plain.kl.estimate == pytest.approx(10 / 7)
    assert hot.kl.estimate == pytest.approx(1 / 7)
    assert plain.kl.n == 3
    assert plain.teacher_entropy == pytest.approx(0.25)
    assert found.same_top.estimate == pytest.approx(2 / 7)
    assert found.half_share == pytest.approx(1 / 7)


def test_one_temperature_is_told_once(run: RunDirectory) -> None:
    """A distillation temperature of 1 adds nothing."""
    write(run, [[0.5], [0.1, 0.2]], temperature=1.0)
    assert [item.temperature for item in one(run).apart] == [1.0]


def test_places_and_widest_tokens(run: RunDirectory) -> None:
    """The first token, tokens 2 to 4, 5 to 16; the widest with what stands before it."""
    write(run, [[0.1] * 6, [0.2, 0.2, 7.0, 0.2, 0.2], [0.3, 0.4]])
    found = one(run)
    assert [(place.first, place.last, place.tokens) for place in found.places] == [
        (1, 1, 3), (2, 4, 7), (5, 16, 3),
    ]  # fmt: skip
    widest = found.widest[0]
    assert (widest.sample_id, widest.position, widest.token) == ("s1", 3, "t2 ")
    assert widest.before == "t0 t1 "
    assert widest.teacher_probability == pytest.approx(np.exp(-1))
    assert (widest.teacher_top, widest.student_top) == ("Paris", "Rome")
    assert widest.student_top_probability == pytest.approx(np.exp(-0.7))
    bare = without_text(found).widest[0]
    assert (bare.token, bare.before, bare.teacher_top, bare.student_top) == (None,) * 4
    assert without_text(found).widest[0].kl == widest.kl


def test_bits_by_byte_are_paired(run: RunDirectory) -> None:
    """Both models' bits over the bytes of the same texts, and their difference."""
    write(run, [[0.1] * 4, [0.2] * 5, [0.3] * 7])
    bits = one(run).bits
    assert bits.teacher.estimate == pytest.approx(0.8)
    assert bits.difference.estimate == pytest.approx((16 + 0 + 1 + 2) / 160)
    assert bits.student.estimate == pytest.approx(bits.teacher.estimate + bits.difference.estimate)
    assert bits.teacher.reason is not None  # every text costs the teacher the same by byte


def test_an_infinite_divergence_is_told_and_not_averaged(run: RunDirectory) -> None:
    """The student gives 0 to a token: KL has no mean, Jensen-Shannon has."""
    write(run, [[0.1, float("inf")], [0.2], [0.4, 0.1]])
    found = one(run)
    assert found.apart[0].kl.estimate is None
    assert "infinite at 1 of 5 tokens" in found.apart[0].kl.reason
    assert found.apart[0].js.estimate == pytest.approx(0.25)
    assert found.half_share is None


def test_nothing_read_has_reasons_only(run: RunDirectory) -> None:
    """Every text left out: no figures, no error."""
    write(run, ["the teacher gave no answer"] * 3)
    found = one(run)
    assert (found.texts, found.bits, found.apart, found.places) == (0, None, (), ())
    assert found.left_out == {"the teacher gave no answer": 3}


def test_a_damaged_file_counts_as_none(run: RunDirectory, tmp_path: Path) -> None:
    """Then the same run measures again."""
    write(run, [[0.1]])
    assert read_settings(run.path) is not None
    (run.path / "texts.parquet").write_bytes(b"no parquet")
    assert read_settings(run.path) is None


def test_texts_of_one_cluster_count_once(write_run: Any) -> None:
    """Clusters of the suite are those of the texts; a text without one is its own."""
    rows = [{"ref": "a", "teacher": "a", "student": "a", "cluster": f"c{i // 3}"} for i in range(9)]
    made: RunDirectory = write_run([*rows, {"ref": "a", "teacher": "a", "student": "a"}],
                                   labels=None)  # fmt: skip
    write(made, [[float(1 + i // 3)] * (2 + i % 2) for i in range(10)])
    found = one(made)
    kl = found.apart[0].kl
    assert (kl.n, kl.clusters) == (10, 4)
    assert found.bits.difference.clusters == 4
