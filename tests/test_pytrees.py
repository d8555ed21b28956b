from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import mm_jax
from mm_jax import Vocab
from mm_jax.pytrees import is_pytree


@mm_jax.pytree
class Halves:
    """Its annotations are strings: this file says so on top."""

    W: jax.Array
    inner: dict
    vocab: Vocab
    parts: int = mm_jax.static()


def halves():
    return Halves(W=jnp.ones(3), inner={"a": jnp.zeros(2), "b": (jnp.ones(1),)}, vocab=Vocab(".ab"), parts=2)


def test_leaves_are_what_is_not_static():
    assert Halves.static_fields == ("vocab", "parts")
    assert [leaf.shape for leaf in jax.tree.leaves(halves())] == [(3,), (2,), (1,)]


def test_static_fields_are_part_of_the_type():
    traces = []

    @jax.jit
    def total(each):
        traces.append(each.parts)
        return each.W.sum() * each.parts

    assert total(halves()) == 6
    total(jax.tree.map(lambda leaf: leaf + 1, halves()))
    assert traces == [2]
    others = Halves(W=jnp.ones(3), inner=halves().inner, vocab=Vocab(".ab"), parts=3)
    assert total(others) == 9
    assert traces == [2, 3]


def test_frozen():
    with pytest.raises(AttributeError):
        halves().parts = 3


def test_a_subclass_is_a_pytree_only_if_decorated():
    class Plain(Halves):
        pass

    @mm_jax.pytree
    class Own(Halves):
        bias: jax.Array

    assert is_pytree(Halves) and is_pytree(Own) and not is_pytree(Plain) and not is_pytree(dict)
    assert Own.static_fields == ("vocab", "parts")


def test_trees_of_two_classes_with_the_same_fields_differ():
    """Compiled functions tell models apart by this; JAX's own registration of dataclasses takes the two as equal."""

    def new():
        @mm_jax.pytree
        class Table:
            W: jax.Array
            vocab: Vocab

        return jax.tree.structure(Table(W=jnp.ones(3), vocab=Vocab(".ab")))

    one, other = new(), new()
    assert one == one
    assert one != other
    keys = [key for key, _ in jax.tree_util.tree_flatten_with_path(halves())[0]]
    assert [jax.tree_util.keystr(key) for key in keys] == [".W", ".inner['a']", ".inner['b'][0]"]
