"""The whole folder, from a tiny encoder and tiny data: real training, in seconds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdeval.config.schema import load_config
from kdeval.errors import MissingExtraError, UsageError
from kdeval.gate.policy import load_policy
from kdeval.models.protocols import Request
from kdeval.models.resolver import build_model
from kdeval.suites.read import load_suite
from kdeval.workflows.demo.build import DemoFiles, build_demo
from kdeval.workflows.demo.splits import SplitSizes

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

Build = Callable[..., DemoFiles]


@pytest.fixture
def encoder(tmp_path: Path, ratings: Path) -> Path:
    """A BERT of four narrow layers, untrained, whose vocabulary is that of the texts."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    words = {word for file in ratings.iterdir() for word in file.read_text().lower().split()}
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = transformers.BertTokenizerFast(
        vocab={word: index for index, word in enumerate(vocabulary)}
    )
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=80,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def make(tmp_path: Path, encoder: Path, ratings: Path, sizes: SplitSizes) -> Build:
    """`build_demo` on the tiny things."""

    def call(out: Path = tmp_path / "out", **changed: object) -> DemoFiles:
        arguments = {
            "seed": 0,
            "model_dir": encoder,
            "data_dir": ratings,
            "progress": lambda *_: None,
            "sizes": sizes,
            **changed,
        }
        return build_demo(out, **arguments)

    return call


def test_everything_it_writes_can_be_used(make: Build) -> None:
    """Both configurations load, every model answers, the policy is a policy."""
    files = make()
    for path, n in ((files.config, 48), (files.heldout_config, 40)):
        config = load_config(path)
        suite = load_suite(config.suites[0])
        assert len(suite.samples) == n
        assert {s.slices["domain"] for s in suite.samples} == {"movie", "amazon", "tweets", "nyt"}
        assert all(sample.cluster for sample in suite.samples)
    assert load_policy(files.policy).rules
    assert set(files.gated) < {student.name for student in config.students}
    request = Request(
        sample_id="s",
        suite="sentiment",
        kind="classification",
        input="the splendid film",
        labels=("negative", "positive"),
    )
    for model in config.models:
        (answer,) = build_model(model).classify([request])
        assert answer.output in request.labels
        assert set(answer.log_probs) == set(request.labels)
    assert "48 labelled texts" in files.summary


def test_teacher_and_students_are_ordinary_classifiers(make: Build) -> None:
    """With names of labels, and as many layers as they should have."""
    models = make().config.parent / "models"
    for name, layers in (("teacher", 4), ("two_layer", 2), ("two_layer_tweets", 2)):
        loaded = transformers.AutoModelForSequenceClassification.from_pretrained(models / name)
        assert loaded.config.id2label == {0: "negative", 1: "positive"}
        assert loaded.config.num_hidden_layers == len(loaded.bert.encoder.layer) == layers
        transformers.AutoTokenizer.from_pretrained(models / name)
    assert {file.name for file in (models / "static").iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }


def test_only_the_upper_half_learns(make: Build, encoder: Path) -> None:
    """Embeddings and lower layers are the encoder's own, in the teacher and in the student."""
    models = make().config.parent / "models"
    before, teacher, student = (
        transformers.AutoModel.from_pretrained(folder).state_dict()
        for folder in (encoder, models / "teacher", models / "two_layer")
    )

    def same(one: str, weights: dict[str, object], other: str) -> bool:
        pairs = [(n, n.replace(one, other, 1)) for n in weights if n.startswith(one)]
        assert pairs
        return all(torch.equal(weights[mine], before[theirs]) for mine, theirs in pairs)

    assert same("embeddings.", teacher, "embeddings.")
    assert same("embeddings.", student, "embeddings.")
    layers = [f"encoder.layer.{index}." for index in range(4)]
    assert [same(layer, teacher, layer) for layer in layers] == [True, True, False, False]
    assert same(layers[0], student, layers[0])
    assert not same(layers[1], student, layers[2])


def test_a_second_call_trains_nothing(make: Build, tmp_path: Path) -> None:
    """And a spoilt model alone is made again, with the same bytes."""
    stages: list[str] = []

    def note(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        stages.append(stage)

    make(progress=note)
    assert len(set(stages)) == 5
    weights = tmp_path / "out" / "models" / "two_layer" / "model.safetensors"
    content = weights.read_bytes()
    stages.clear()
    make(progress=note)
    assert stages == []
    weights.write_bytes(b"spoilt")
    make(progress=note)
    assert set(stages) == {"Asking the teacher", "Distilling two_layer"}
    assert weights.read_bytes() == content


def test_the_seed_decides(make: Build, tmp_path: Path) -> None:
    """The same seed gives the same bytes in another directory, another seed other ones."""
    one, same, other = (
        make(tmp_path / name, seed=seed).config.parent
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    )
    for file in ("models/teacher/model.safetensors", "models/static/model.safetensors",
                 "models/two_layer_tweets/model.safetensors", "data/eval.jsonl"):  # fmt: skip
        assert (one / file).read_bytes() == (same / file).read_bytes(), file
        assert (one / file).read_bytes() != (other / file).read_bytes(), file


def test_training_leaves_the_callers_generator_alone(make: Build) -> None:
    """Nobody else's numbers depend on whether a stage was reused."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    make()
    assert torch.equal(torch.rand(4), expected)


def test_other_encoders_are_refused(make: Build, encoder: Path) -> None:
    """With what would do."""
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps({**config, "model_type": "distilbert"}))
    with pytest.raises(UsageError, match="BERT encoder of two or more"):
        make()
    (encoder / "config.json").unlink()
    with pytest.raises(UsageError, match="no transformers model"):
        make()


def test_directories_that_are_not_there(make: Build, tmp_path: Path) -> None:
    """Named with the option."""
    with pytest.raises(UsageError, match="missing is no directory; give --model-dir"):
        make(model_dir=tmp_path / "missing")
    with pytest.raises(UsageError, match="missing is no directory; give --data-dir"):
        make(data_dir=tmp_path / "missing")


def test_the_licence_travels_with_the_texts(make: Build, ratings: Path) -> None:
    """Where the source has one."""
    (ratings / "LICENSE.txt").write_text("MIT")
    assert (make().config.parent / "data" / "LICENSE.txt").read_text() == "MIT"


def test_nothing_of_the_users_is_written_over(make: Build, tmp_path: Path) -> None:
    """A directory with other files is refused before anything is done."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kdeval.yaml").write_text("mine")
    with pytest.raises(UsageError, match="not an earlier output"):
        make()
    assert (tmp_path / "out" / "kdeval.yaml").read_text() == "mine"


def test_without_torch_the_extra_is_named(make: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pip line, before anything is fetched or written."""
    for name in [name for name in sys.modules if name.startswith("kdeval.workflows.demo.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"kdeval demo .* pip install 'kdeval\[hf\]'"):
        make()
