"""From a run to a router and back: what is fitted decides, and is judged on unseen samples only."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from kdeval_router import Router
from kdeval_router.artefact import RouterArtefact
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from kdeval.errors import RoutingError
from kdeval.records import Metric
from kdeval.report.router_terminal import evaluation_remarks
from kdeval.routing.evaluate import evaluate_router
from kdeval.routing.explain import explain_text
from kdeval.routing.fit import fit_router
from kdeval.routing.guarantee import FitSettings, decide_all
from kdeval.routing.samples import load_samples


def test_the_router_is_certified_and_each_task_goes_to_its_student(fitted, rows) -> None:
    config = fitted.config
    assert fitted.certified
    assert config.guarantee.bound <= config.guarantee.level == 0.03
    assert config.guarantee.share > 0.3
    assert config.tasks["weather"].target == "tiny"
    assert config.tasks["cooking"].target == "small"
    router = Router.load(fitted.path)
    fresh = rows(400, seed=3)
    targets = {row["text"]: router.decide(row["text"]).target for row in fresh}
    for task, student in (("weather", "tiny"), ("cooking", "small")):
        given = [targets[row["text"]] for row in fresh if row["task"] == task]
        assert set(given) == {student, "big"}
        assert given.count(student) > 0.5 * len(given)
    hard = [targets[row["text"]] for row in fresh if "dough" in row["text"]]
    assert hard.count("big") > 0.9 * len(hard)
    foreign = router.decide("zebra quantum lawsuit elephant philharmonic")
    assert foreign.reason == "unfamiliar"


def test_batch_and_single_decisions_are_the_same_bits(fitted, run) -> None:
    router = Router.load(fitted.path)
    texts = list(
        load_samples(run, students=("small", "tiny"), metrics={"chat": "label"}).texts[:400]
    )
    together = decide_all(router.rule, texts)
    assert together == [router.decide(text) for text in texts]
    assert (
        together == [Router.load(fitted.path).decide(text) for text in texts[:50]] + together[50:]
    )


def test_the_certified_share_and_flips_are_those_of_the_runtime(fitted, run) -> None:
    """The certificate is about the decisions of the router that was written."""
    from kdeval.routing.certify import one_per_unit
    from kdeval.routing.split import assign_splits

    samples = load_samples(run, students=("small", "tiny"), metrics={"chat": "label"})
    units = samples.take(assign_splits(samples.units, 0) == "certify")
    units = units.take(one_per_unit(units.units, np.random.default_rng([0, 1])))
    decisions = decide_all(Router.load(fitted.path).rule, list(units.texts))
    flips = routed = 0
    for row, decision in enumerate(decisions):
        if decision.role == "student":
            column = units.students.index(decision.target)
            routed += 1
            flips += int(units.teacher_right[row] and not units.student_right[row, column])
    guarantee = fitted.config.guarantee
    assert (len(units), flips, routed / len(units)) == (
        guarantee.n,
        guarantee.flips,
        pytest.approx(guarantee.share),
    )


def test_the_same_run_and_seed_give_the_same_files(fitted, run, tmp_path) -> None:
    again = fit_router(run, tmp_path / "again", FitSettings(max_drop=0.03))
    assert again.config == fitted.config
    other = fit_router(run, tmp_path / "other", FitSettings(max_drop=0.03, seed=1))
    assert other.config.weights.sha256 != fitted.config.weights.sha256


def test_on_its_own_run_only_the_test_split_is_judged(fitted, run) -> None:
    result = evaluate_router(fitted.path, run)
    assert result.n == fitted.samples["test"]
    assert result.refused == sum(fitted.samples.values()) - fitted.samples["test"]
    assert result.share > 0.3
    assert result.lost_rate.estimate < 0.05
    assert result.saving is not None
    assert 0 < result.saving < 1
    by_name = {rule.name: rule for rule in result.baselines}
    assert by_name["oracle"].quality >= result.quality.estimate > by_name["random"].quality
    assert by_name["always_teacher"].share == 0
    assert sum(row.n for row in result.tasks) == result.n
    assert sum(result.reasons.values()) == result.n
    assert result.notes == ()


def test_another_run_is_judged_on_all_that_is_new(fitted, tmp_path, rows, run_of) -> None:
    new = [row | {"text": row["text"] + " again"} for row in rows(100, seed=5)]
    result = evaluate_router(fitted.path, run_of(tmp_path / "new", new))
    assert (result.n, result.refused) == (100, 0)


def test_samples_that_it_was_fitted_on_are_refused_under_any_id(
    fitted, tmp_path, rows, run_of
) -> None:
    """The same prompts in another order, under other ids, in another run."""
    same = [row | {"id": f"x{index}"} for index, row in enumerate(reversed(rows(2_400)))]
    result = evaluate_router(fitted.path, run_of(tmp_path / "same", same))
    assert result.n == fitted.samples["test"]
    seen = [row for row in same if evaluate_hash(fitted, row["text"])]
    with pytest.raises(RoutingError, match="samples it has not seen"):
        evaluate_router(fitted.path, run_of(tmp_path / "seen", seen))


def evaluate_hash(fitted, text: str) -> bool:
    from kdeval.routing.split import assign_splits

    return assign_splits([f"text\0{text}"], fitted.config.splits.seed)[0] != "test"


def test_clusters_are_the_unit_of_the_guarantee(tmp_path, rows, run_of) -> None:
    data = [row | {"cluster": f"doc{index // 4}"} for index, row in enumerate(rows(2_400))]
    run = run_of(tmp_path / "run", data)
    summary = fit_router(run, tmp_path / "router", FitSettings(max_drop=0.05))
    guarantee, splits = summary.config.guarantee, summary.config.splits
    assert guarantee.sampling_unit == "cluster, one random sample of each"
    assert guarantee.n == splits.units["certify"] < splits.samples["certify"]
    result = evaluate_router(summary.path, run)
    assert result.lost_rate.n == splits.units["test"]
    assert result.quality.clusters == splits.units["test"]


def test_too_little_data_certifies_nothing_and_says_how_much_is_missing(
    tmp_path, rows, run_of
) -> None:
    summary = fit_router(run_of(tmp_path / "run", rows(220)), tmp_path / "router")
    guarantee = summary.config.guarantee
    assert not guarantee.certified
    assert guarantee.missing == 114 - guarantee.n
    assert f"{guarantee.missing} more certify units" in guarantee.note
    router = Router.load(summary.path)
    assert {router.decide(row["text"]).role for row in rows(50)} == {"teacher"}
    new = [row | {"text": row["text"] + " again"} for row in rows(60, seed=5)]
    judged = evaluate_router(summary.path, run_of(tmp_path / "new", new))
    assert judged.share == 0
    for known in (judged.difference, judged.lost_rate):
        assert (known.estimate, known.low, known.high) == (0, 0, 0)
    remarks = " ".join(evaluation_remarks(judged))
    assert "Everything goes to the teacher" in remarks
    assert "[" not in remarks


def test_a_certified_router_s_difference_has_an_interval(fitted, run) -> None:
    result = evaluate_router(fitted.path, run)
    remarks = evaluation_remarks(result)
    assert remarks[0].startswith("Routed minus always-teacher: ")
    assert "[" in remarks[0]
    assert f"of {result.n} samples {result.lost} got worse" in remarks[0]
    assert f"one random sample of each of {result.n} distinct prompts: " in remarks[1]
    assert "the promise was at most 3.0 %" in remarks[1]


@pytest.mark.parametrize(
    ("cluster", "units"), [(None, "20 distinct prompts"), (lambda i: f"c{i // 10}", "6 clusters")]
)
def test_the_rate_of_getting_worse_says_what_it_counts(
    fitted, tmp_path, rows, run_of, cluster, units
) -> None:
    """Samples that share a prompt or a cluster are one unit: the rate may not be the table's."""
    new = [row | {"text": row["text"] + " again"} for row in rows(20, seed=5)]
    new = [row | {"id": f"{row['id']}-{k}"} for k in range(3) for row in new]
    if cluster is not None:
        new = [row | {"cluster": cluster(i)} for i, row in enumerate(new)]
    result = evaluate_router(fitted.path, run_of(tmp_path / "new", new))
    remarks = evaluation_remarks(result)
    assert "of 60 samples " in remarks[0]
    assert f"one random sample of each of {units}: " in remarks[1]
    assert remarks[-1].startswith("Taken for: the task that the router recognises")


def test_prompts_of_several_tasks_are_told_with_their_number(tmp_path, rows, run_of) -> None:
    """Asked of two tasks, a prompt is recognised as one of them, whichever it is of."""
    plain = rows(200)
    shared = [row | {"id": f"x{row['id']}", "task": "baking"} for row in plain[:30]]
    summary = fit_router(run_of(tmp_path / "run", plain + shared), tmp_path / "router")
    (note,) = summary.notes
    cooking = sum(row["task"] == "cooking" for row in plain[:30])
    listed = sorted([("weather", 30 - cooking), ("cooking", cooking)], key=lambda item: -item[1])
    assert note.startswith("30 of 200 distinct prompts are in several tasks ")
    assert f"(baking, {listed[0][0]}, {listed[1][0]})" in note
    assert fit_router(run_of(tmp_path / "alone", plain), tmp_path / "router").notes == ()


def test_a_chosen_student_is_the_only_target(run, tmp_path) -> None:
    summary = fit_router(run, tmp_path / "router", FitSettings(students=("small",), max_drop=0.03))
    assert {task.target for task in summary.config.tasks.values()} <= {"small", "big"}
    assert list(summary.config.students) == ["small"]


def test_samples_with_errors_are_dropped_and_counted(tmp_path, rows, run_of) -> None:
    data = rows(800)
    for row in data[::10]:
        row["teacher"] = None
    summary = fit_router(
        run_of(tmp_path / "run", data), tmp_path / "router", FitSettings(max_drop=0.05)
    )
    assert summary.unusable == 80
    assert summary.config.guarantee.dropped > 0


def test_unknown_costs_stay_unknown(tmp_path, rows, run_of) -> None:
    run = run_of(tmp_path / "run", rows(800))
    summary = fit_router(run, tmp_path / "router", FitSettings(max_drop=0.05))
    assert summary.config.costs.teacher_usd is None
    assert evaluate_router(summary.path, run).saving is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"students": ["huge"]}, "'huge' is no student"),
        ({"metric": "rouge"}, "no metric 'rouge'"),
        ({"max_drop": 0.0}, "max_drop must lie between"),
        ({"confidence": 1.0}, "confidence must lie between"),
        ({"alpha": 0.9}, "alpha must lie between"),
    ],
)
def test_settings_that_allow_no_router(run, tmp_path, settings, message) -> None:
    with pytest.raises(RoutingError, match=message):
        fit_router(run, tmp_path / "router", FitSettings(**settings))


def test_real_valued_scores_are_refused_with_what_is_supported(tmp_path, rows, run_of) -> None:
    data = [row | {"teacher": 0.5} for row in rows(100)]
    with pytest.raises(RoutingError, match="exactly 0 or 1"):
        fit_router(run_of(tmp_path / "run", data), tmp_path / "router")


def test_a_metric_that_is_better_when_lower_is_refused(tmp_path, rows, run_of) -> None:
    metric = Metric(name="errors", higher_is_better=False)
    with pytest.raises(RoutingError, match="better when lower"):
        fit_router(run_of(tmp_path / "run", rows(100), metric=metric), tmp_path / "router")


def test_a_run_that_is_too_small_says_what_it_needs(tmp_path, rows, run_of) -> None:
    with pytest.raises(RoutingError, match="needs 20 different units"):
        fit_router(run_of(tmp_path / "run", rows(12)), tmp_path / "router")


def test_a_changed_student_is_noted(fitted, tmp_path, rows, run_of) -> None:
    new = run_of(tmp_path / "new", rows(60, seed=9))
    student = replace(new.manifest.students[0], fingerprint="changed")
    new.manifest = replace(new.manifest, students=(student, new.manifest.students[1]))
    assert "small is not the model" in evaluate_router(fitted.path, new).notes[0]


def test_a_tampered_router_is_a_routing_error(fitted, run, tmp_path) -> None:
    shutil.copytree(fitted.path, tmp_path / "router")
    file = tmp_path / "router" / "router.yaml"
    file.write_text(file.read_text().replace("maximum: ", "maximum: 1"))
    with pytest.raises(RoutingError, match="changed after fitting"):
        evaluate_router(tmp_path / "router", run)
    with pytest.raises(RoutingError, match="changed after fitting"):
        explain_text(tmp_path / "router", "x")


def test_a_directory_of_static_vectors_is_an_encoder(run, tmp_path) -> None:
    """As model2vec saves them: tokenizer.json, and `embeddings` with optional weights."""
    words = ["[UNK]", *sorted({word for text in run.samples()["text"] for word in text.split()})]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path / "vectors"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(0).normal(size=(len(words), 32)).astype(np.float16)
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    summary = fit_router(run, tmp_path / "router", FitSettings(encoder_dir=folder, max_drop=0.05))
    assert summary.config.encoder.kind == "static"
    assert summary.config.encoder.dimensions == 32
    assert str(tmp_path) not in (summary.path / "router.yaml").read_text()
    assert Router.load(summary.path).decide("[UNK] zzz").reason == "no_known_words"
    save_file({"embeddings": vectors[1:]}, folder / "model.safetensors")
    with pytest.raises(RoutingError, match="vectors"):
        fit_router(run, tmp_path / "other", FitSettings(encoder_dir=folder))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(RoutingError, match="broken"):
        fit_router(run, tmp_path / "other", FitSettings(encoder_dir=folder))
    with pytest.raises(RoutingError, match="is missing"):
        fit_router(run, tmp_path / "other", FitSettings(encoder_dir=tmp_path / "nowhere"))


def test_explain_text_says_why(fitted) -> None:
    assert "tiny" in str(explain_text(fitted.path, "please tell me what is the fog and the sky 3"))


def test_the_artefact_is_small_and_holds_no_text(fitted) -> None:
    sizes = [file.stat().st_size for file in fitted.path.iterdir()]
    assert sum(sizes) < 3_000_000
    assert set(RouterArtefact.load(fitted.path).tensors) >= {"splits.seen", "heads.coefficients"}
