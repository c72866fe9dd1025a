"""The cache: the newest version wins, whoever brings it."""

from dataclasses import dataclass

import pytest

from imooc_operator.runtime.cache import Cache, Regression


@dataclass(frozen=True)
class Thing:
    name: str
    revision: int
    namespace: str = "n"
    uid: str = "u"
    owner: str = "o"


Changes = list[tuple[Thing | None, Thing | None]]


def cache_at(revision: int, *things: Thing, scope: str = "n") -> tuple[Cache[Thing], Changes]:
    cache: Cache[Thing] = Cache(index=lambda thing: thing.owner)
    cache.replace(scope, things, revision, rewind=False)
    changes: Changes = []
    cache.listen(lambda old, new: changes.append((old, new)))
    return cache, changes


def test_a_list_adds_changes_and_removes() -> None:
    a, b, c = Thing("a", 1), Thing("b", 2), Thing("c", 3)
    cache, changes = cache_at(5, a, b, c)
    newer = Thing("b", 6)
    cache.replace("n", [a, newer], 7, rewind=False)
    assert sorted(cache.keys()) == ["n/a", "n/b"]
    assert changes == [(c, None), (b, newer)]
    assert cache.revision("n") == 7


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    cache, _ = cache_at(5, Thing("a", 1))
    other = Thing("a", 2, namespace="m")
    cache.replace("m", [other], 6, rewind=False)
    assert len(cache) == 2
    cache.replace("n", [], 7, rewind=False)
    assert cache.get("m/a") == other
    assert len(cache) == 1


def test_an_older_list_is_refused_until_it_is_believed() -> None:
    cache, changes = cache_at(5, Thing("a", 4))
    with pytest.raises(Regression, match="list at 3, but 5 was seen"):
        cache.replace("n", [], 3, rewind=False)
    assert len(cache) == 1
    old = Thing("a", 2)
    cache.replace("n", [old], 3, rewind=True)
    assert cache.get("n/a") == old
    assert cache.revision("n") == 3
    assert changes[-1] == (None, old)


def test_a_list_of_another_past_is_believed_once_it_is_newer() -> None:
    """etcd was restored and has moved on since: what we knew never happened."""
    undone = Thing("a", 5)
    cache, changes = cache_at(5, undone)
    true = Thing("a", 3)
    cache.replace("n", [true], 6, rewind=False)
    assert cache.get("n/a") == true
    assert changes == [(undone, true)]


def test_events_add_change_and_remove() -> None:
    cache, changes = cache_at(5)
    a1, a2 = Thing("a", 6), Thing("a", 7)
    cache.apply("n", "n/a", "u", a1, 6)
    cache.apply("n", "n/a", "u", a2, 7)
    assert cache.get("n/a") == a2
    cache.apply("n", "n/a", "u", None, 8)
    assert cache.get("n/a") is None
    assert changes == [(None, a1), (a1, a2), (a2, None)]


def test_the_end_of_something_unknown_is_no_change() -> None:
    cache, changes = cache_at(5)
    cache.apply("n", "n/a", "u", None, 6)
    assert changes == []


def test_a_repeated_event_is_no_change_and_an_older_one_is_noticed() -> None:
    cache, changes = cache_at(5)
    cache.apply("n", "n/a", "u", Thing("a", 6), 6)
    cache.apply("n", "n/a", "u", Thing("a", 6), 6)
    assert len(changes) == 1
    with pytest.raises(Regression):
        cache.apply("n", "n/b", "u", Thing("b", 5), 5)


def test_a_bookmark_moves_the_revision_forward_only() -> None:
    cache, _ = cache_at(5)
    cache.progress("n", 9)
    assert cache.revision("n") == 9
    with pytest.raises(Regression):
        cache.progress("n", 8)


def test_an_own_write_is_read_at_once_and_its_event_is_no_news() -> None:
    cache, changes = cache_at(5)
    written = Thing("a", 8)
    cache.learn(written, "n")
    assert cache.get("n/a") == written
    assert cache.indexed("o") == [written]
    cache.apply("n", "n/a", "u", Thing("a", 8), 8)
    assert changes == []


def test_an_own_write_survives_a_list_that_was_on_its_way() -> None:
    cache, _ = cache_at(5, Thing("b", 4))
    cache.learn(Thing("a", 8), "n")
    cache.learn(Thing("b", 9), "n")
    cache.replace("n", [Thing("b", 4)], 7, rewind=False)
    assert cache.get("n/a") == Thing("a", 8)
    assert cache.get("n/b") == Thing("b", 9)
    cache.replace("n", [], 10, rewind=False)
    assert len(cache) == 0


def test_an_own_write_the_watch_has_passed_brings_no_ghost() -> None:
    cache, _ = cache_at(5)
    cache.apply("n", "n/a", "u", Thing("a", 8), 8)
    cache.apply("n", "n/a", "u", None, 9)
    cache.learn(Thing("a", 8), "n")
    cache.learn(Thing("a", 9), "n")  # the answer to a delete carries the revision of the end
    assert cache.get("n/a") is None


def test_an_own_write_never_replaces_something_newer() -> None:
    cache, _ = cache_at(5)
    cache.learn(Thing("a", 9), "n")
    cache.learn(Thing("a", 8), "n")
    assert cache.get("n/a") == Thing("a", 9)


def test_the_end_of_the_very_object_counts_even_at_the_revision_of_our_delete() -> None:
    cache, _ = cache_at(5, Thing("a", 4))
    cache.learn(Thing("a", 8), "n")
    cache.apply("n", "n/a", "u", None, 8)
    assert cache.get("n/a") is None


def test_the_end_of_a_namesake_does_not_take_its_successor() -> None:
    cache, _ = cache_at(5)
    successor = Thing("a", 9, uid="u2")
    cache.learn(successor, "n")
    cache.apply("n", "n/a", "u", None, 8)
    assert cache.get("n/a") == successor


def test_forget_takes_only_the_very_object() -> None:
    old, new = Thing("a", 4), Thing("a", 6, uid="u2")
    cache, _ = cache_at(6, new)
    cache.forget(old)
    assert cache.get("n/a") == new
    cache.forget(new)
    assert len(cache) == 0
    assert cache.indexed("o") == []


def test_the_index_follows_a_change_of_its_value() -> None:
    cache, _ = cache_at(5, Thing("a", 4))
    moved = Thing("a", 6, owner="p")
    cache.apply("n", "n/a", "u", moved, 6)
    assert cache.indexed("o") == []
    assert cache.indexed("p") == [moved]
    own = Thing("a", 8, owner="q")
    cache.learn(own, "n")
    assert cache.indexed("p") == []
    assert cache.indexed("q") == [own]


def test_a_list_at_the_revision_that_was_seen_counts() -> None:
    cache, _ = cache_at(5, Thing("a", 5))
    cache.replace("n", [], 5, rewind=False)
    assert len(cache) == 0


def test_a_list_of_the_past_that_is_believed_takes_what_it_does_not_hold() -> None:
    a, b = Thing("a", 4), Thing("b", 5)
    cache, changes = cache_at(5, a, b)
    cache.replace("n", [Thing("a", 2)], 3, rewind=True)
    assert (b, None) in changes
    assert cache.keys() == ["n/a"]


def test_a_list_of_all_namespaces_takes_what_is_gone_from_any() -> None:
    cache, _ = cache_at(5, Thing("a", 4), scope="")
    assert (cache.revision("n"), cache.revision("")) == (0, 5)
    cache.replace("", [], 6, rewind=False)
    assert len(cache) == 0
