"""Which samples of a run are dependent on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdeval.store.run_directory import RunDirectory

__all__ = ["Clusters", "cluster_codes", "clusters_of"]

Clusters = Mapping[tuple[str, str], str]
"""(suite, sample) to its cluster, where the suite has clusters."""


def clusters_of(run: RunDirectory) -> Clusters:
    """Those of all suites of the run; empty where none has clusters."""
    named = {suite.name for suite in run.manifest.suites if suite.clustered}
    if not named:
        return {}
    frame = run.samples(["suite", "sample_id", "cluster"])
    frame = frame[frame["suite"].astype(str).isin(named) & frame["cluster"].notna()]
    keys = zip(frame["suite"].astype(str), frame["sample_id"].astype(str), strict=True)
    return dict(zip(keys, frame["cluster"].astype(str), strict=True))


def cluster_codes(
    clusters: Clusters, suite: str, samples: Sequence[str]
) -> NDArray[np.int64] | None:
    """A number for each sample's cluster; a sample without one is its own. None: no clusters."""
    if not clusters:
        return None
    names = np.array([clusters.get((suite, name), f"\0{name}") for name in samples])
    return np.asarray(pd.factorize(names)[0], dtype=np.int64)
