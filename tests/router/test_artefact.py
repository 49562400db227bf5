"""An artefact is whole, or it is not loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import kdeval_router
import pytest
import yaml
from kdeval_router import Router, RouterArtefactError
from kdeval_router.artefact import RouterArtefact
from safetensors.numpy import load_file, save_file


def test_what_is_saved_is_what_is_loaded(router_dir: Path) -> None:
    artefact = RouterArtefact.load(router_dir)
    again = artefact.save(router_dir.parent / "again")
    assert again.config == artefact.config
    for name in ("router.yaml", "router.safetensors"):
        first, second = router_dir / name, router_dir.parent / "again" / name
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["router.yaml", "router.safetensors"])
def test_a_missing_file_is_named(router_dir: Path, name: str) -> None:
    (router_dir / name).unlink()
    with pytest.raises(RouterArtefactError, match=name) as caught:
        Router.load(router_dir)
    assert "\n" not in str(caught.value)


def test_every_flipped_byte_of_the_weights_is_found(router_dir: Path) -> None:
    file = router_dir / "router.safetensors"
    content = file.read_bytes()
    for position in range(0, len(content), len(content) // 7):
        file.write_bytes(
            content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        )
        with pytest.raises(RouterArtefactError, match=r"does not belong.*fit the router again"):
            Router.load(router_dir)


@pytest.mark.parametrize(
    ("old", "new"),
    [("maximum: 0.1", "maximum: 0.9"), ("level: 0.02", "level: 0.01"), ("big", "huge")],
)
def test_a_number_changed_by_hand_is_found(router_dir: Path, old: str, new: str) -> None:
    file = router_dir / "router.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(RouterArtefactError, match=r"router\.yaml was changed after fitting"):
        Router.load(router_dir)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot be read"),
        ("", "schema version None"),
        ("schema_version: 99", "schema version 99"),
        ("schema_version: 1\nsurprise: 1", "surprise"),
        ("\x00", "cannot be read"),
    ],
)
def test_a_broken_configuration_is_one_line(router_dir: Path, text: str, message: str) -> None:
    (router_dir / "router.yaml").write_text(text)
    with pytest.raises(RouterArtefactError, match=message) as caught:
        Router.load(router_dir)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_rejected(router_dir: Path) -> None:
    file = router_dir / "router.yaml"
    content = yaml.safe_load(file.read_text())
    content["thresholds"]["loose"] = True
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(RouterArtefactError, match=r"thresholds\.loose"):
        Router.load(router_dir)


def test_weights_of_another_shape_do_not_load(router_dir: Path) -> None:
    artefact = RouterArtefact.load(router_dir)
    heads = artefact.tensors["heads.coefficients"][:, :-1]
    RouterArtefact(
        config=artefact.config, tensors={**artefact.tensors, "heads.coefficients": heads}
    ).save(router_dir)
    with pytest.raises(RouterArtefactError, match=r"heads\.coefficients"):
        Router.load(router_dir)


def test_the_weights_of_another_router_do_not_load(router_dir: Path) -> None:
    file = router_dir / "router.safetensors"
    other = load_file(file)
    other["heads.intercepts"] = other["heads.intercepts"] + 1
    save_file(other, file)
    with pytest.raises(RouterArtefactError, match="does not belong"):
        Router.load(router_dir)


def test_the_fallback_is_the_teacher(make_router: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="fallback must be the teacher"):
        make_router(fallback="small")


def test_a_name_that_is_no_model_of_the_router(router_dir: Path) -> None:
    with pytest.raises(RouterArtefactError, match="'tiny'"):
        Router.load(router_dir, fingerprints={"tiny": "x"})


def test_the_front_door_is_complete() -> None:
    assert 3 <= len(kdeval_router.__all__) <= 6
    for name in kdeval_router.__all__:
        assert getattr(kdeval_router, name) is not None
    with pytest.raises(AttributeError):
        _ = kdeval_router.nothing_of_the_kind


def test_deciding_loads_no_heavy_library(router_dir: Path) -> None:
    """The runtime must start in an application that has none of kdeval's libraries."""
    code = (
        "import sys\n"
        "import kdeval_router\n"
        "assert 'numpy' not in sys.modules, 'importing the package loads nothing'\n"
        f"kdeval_router.Router.load({str(router_dir)!r}).decide('sun rain')\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'pyarrow', 'litellm', 'transformers',\n"
        "         'kdeval'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(kdeval_router.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(root), "PATH": ""},
        cwd=router_dir,
    )
    assert done.returncode == 0, done.stderr
