"""What a cache holds is told as it is; what is taken out goes, and what is damaged is found."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdeval.errors import StoreError, UsageError
from kdeval.records import Response
from kdeval.store.cache.contents import CachedModel, Prune, cached_models, opened, prune
from kdeval.store.cache.database import CACHE_FILE
from kdeval.store.cache.origin import Origin
from kdeval.store.cache.shared import SharedCache
from kdeval.store.cache.soundness import rebuild, remove_damaged, verify

DAY = 86_400


def _origin(name: str) -> Origin:
    return Origin(name=name, type="Api", fingerprint=name * 8, suites={f"{name}0": "words"})


def _response(index: int) -> Response:
    return Response(output="x" * 1_000 + str(index), cost_usd=0.5 if index % 2 else None)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Ten answers of "aaaa", twenty of "bbbb"; answer n of either was last used n days ago."""
    with SharedCache(tmp_path) as shared:
        for name, count in (("aaaa", 10), ("bbbb", 20)):
            shared.put({f"{name}{n}": _response(n) for n in range(count)}, _origin(name))
    with _rows(tmp_path) as connection:
        connection.execute(f"UPDATE answers SET used = used - {DAY} * CAST(substr(key, 5) AS REAL)")
    return tmp_path


@contextmanager
def _rows(directory: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(directory / CACHE_FILE)
    with connection:
        yield connection
    connection.close()


def _by_name(models: tuple[CachedModel, ...]) -> dict[str, int]:
    return {model.name: model.answers for model in models}


def _pruned(directory: Path, what: Prune, *, dry_run: bool = False) -> dict[str, int]:
    with opened(directory, writable=True) as connection:
        return _by_name(prune(connection, what, dry_run=dry_run))


def _left(directory: Path) -> dict[str, int]:
    with opened(directory) as connection:
        return _by_name(cached_models(connection))


def test_models_are_listed_with_what_they_take_and_cost(cache: Path) -> None:
    """Unknown costs are counted apart, never as 0; the bytes are close to the file's."""
    with opened(cache) as connection:
        large, small = cached_models(connection)
    assert (large.name, large.answers, large.priced, large.cost_usd) == ("bbbb", 20, 10, 5.0)
    assert (small.name, small.fingerprint, small.suites) == ("aaaa", "aaaa" * 8, ("words",))
    assert large.oldest <= time.time()
    on_disk = (cache / CACHE_FILE).stat().st_size
    assert 0.5 * on_disk < large.bytes + small.bytes < 1.2 * on_disk


def test_pruning_by_use_age_and_model(cache: Path) -> None:
    """All conditions apply together; a fingerprint may be given by how it begins."""
    now = time.time()
    long_unused = Prune(used_before=now - 4.5 * DAY, model="aaaa")
    assert _pruned(cache, long_unused, dry_run=True) == {"aaaa": 5}
    assert _left(cache) == {"aaaa": 10, "bbbb": 20}
    assert _pruned(cache, long_unused) == {"aaaa": 5}
    assert _pruned(cache, Prune(added_before=now - DAY)) == {}
    assert _pruned(cache, Prune(model="bbbbbbbbbb")) == {"bbbb": 20}
    assert _left(cache) == {"aaaa": 5}
    with pytest.raises(UsageError, match="no model 'bbbb'"):
        _pruned(cache, Prune(model="bbbb"))


def test_pruning_to_a_size_takes_the_least_recently_used(cache: Path) -> None:
    """What is left fits, and the file gets smaller."""
    before = (cache / CACHE_FILE).stat().st_size
    with opened(cache) as connection:
        row = next(iter(cached_models(connection))).bytes // 20
    gone = _pruned(cache, Prune(keep_bytes=12 * row + row // 2))
    assert gone == {"aaaa": 4, "bbbb": 14}
    with _rows(cache) as connection:
        oldest = connection.execute("SELECT max(CAST(substr(key, 5) AS INT)) FROM answers")
        assert oldest.fetchone()[0] == 5
    assert (cache / CACHE_FILE).stat().st_size < 0.7 * before
    assert verify(cache).is_sound


def test_a_sound_cache_is_verified(cache: Path) -> None:
    """Every row is read."""
    found = verify(cache)
    assert found.is_sound
    assert found.answers == 30


def test_damaged_rows_are_found_and_taken_out(cache: Path) -> None:
    """By model; the rest stays."""
    with _rows(cache) as connection:
        connection.execute("UPDATE answers SET body = '{}' WHERE key IN ('aaaa1', 'bbbb1')")
        connection.execute("UPDATE answers SET model = 99 WHERE key = 'bbbb1'")
    found = verify(cache)
    assert not found.is_sound
    assert found.damaged_of == {"aaaa": 1, "?": 1}
    remove_damaged(cache, found)
    assert verify(cache).is_sound
    assert _left(cache) == {"aaaa": 9, "bbbb": 19}


def test_a_file_damaged_in_places_is_rebuilt_from_what_can_be_read(tmp_path: Path) -> None:
    """Rows before and behind the damage are saved, sound ones only."""
    with SharedCache(tmp_path) as shared:
        shared.put({f"aaaa{n}": _response(n) for n in range(3_000)}, _origin("aaaa"))
    file = tmp_path / CACHE_FILE
    data = bytearray(file.read_bytes())
    for page in (300, 301, 500):
        data[page * 4096 : (page + 1) * 4096] = bytes(range(256)) * 16
    file.write_bytes(bytes(data))
    assert verify(tmp_path).structure
    saved = rebuild(tmp_path)
    assert 2_900 < saved < 3_000
    assert verify(tmp_path).is_sound
    with SharedCache(tmp_path) as shared:
        found = shared.get([f"aaaa{n}" for n in range(3_000)], _origin("aaaa"))
    assert len(found) == saved
    assert all(found[f"aaaa{n}"] == _response(n) for n in range(3_000) if f"aaaa{n}" in found)
    assert sorted(item.name for item in tmp_path.iterdir()) == [CACHE_FILE, "lock"]


def test_what_is_no_database_is_rebuilt_empty(tmp_path: Path) -> None:
    """So that the next run fills it again."""
    (tmp_path / CACHE_FILE).write_bytes(b"no database" * 999)
    assert verify(tmp_path).structure == ("file is not a database",)
    assert rebuild(tmp_path) == 0
    assert verify(tmp_path).is_sound


def test_a_cache_in_use_is_not_rebuilt(cache: Path) -> None:
    """A run that has it open would write into a file that is gone."""
    with SharedCache(cache), pytest.raises(StoreError, match="in use"):
        rebuild(cache)


def test_a_directory_without_a_cache_is_named(tmp_path: Path) -> None:
    """With the way to make one; nothing is made by looking."""
    empty = tmp_path / "my cache"
    empty.mkdir()
    made = re.escape(f"holds no cache: `kdeval run --cache '{empty}'` makes one")
    for look, said in ((_left, made), (verify, "my cache holds no cache")):
        with pytest.raises(StoreError, match=said):
            look(empty)
    assert list(empty.iterdir()) == []
