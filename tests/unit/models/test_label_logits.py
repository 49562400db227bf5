from __future__ import annotations

import pytest

from kdeval.errors import ModelError

pytest.importorskip("torch")

from kdeval.models.label_logits import columns_of


@pytest.mark.parametrize(
    ("names", "hint"),
    [(["positiv", "negative"], "(did you mean 'positiv'?);"), (["a", "b"], "(valid: a, b);")],
)
def test_a_label_that_the_model_lacks_is_one_sentence(names: list[str], hint: str) -> None:
    """What is missing, what is there, and how to map it, whatever the hint ends with."""
    with pytest.raises(ModelError) as raised:
        columns_of("teacher", ["positive"], names)
    assert str(raised.value) == (
        "teacher: the model has no label 'positive', which the suite asks for "
        f"{hint} map its labels with `labels: {{model label: suite label}}`"
    )
