import jax
import numpy as np
import pytest

from mm_jax.ngrams.table import Table

DENSE = np.array([[0.5, 0, 0.25, 0], [0, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 7]], np.float32)


def table_of(dense):
    row, token = np.nonzero(dense)
    return Table.of(row, token, dense[row, token], rows=len(dense), vocab_size=dense.shape[1])


def test_rows_are_those_of_the_dense_table():
    table = table_of(DENSE)
    row = jax.jit(lambda i: table.row(i))
    assert [row(i).tolist() for i in range(4)] == DENSE.tolist()
    found = jax.jit(jax.vmap(lambda i: table.row(i)))(np.arange(4, dtype=np.int32))
    np.testing.assert_array_equal(found, DENSE)
    assert table.entry_rows().tolist() == np.nonzero(DENSE)[0].tolist()


def test_a_token_is_found_where_it_stands():
    table = table_of(DENSE)
    find = jax.jit(lambda i, token: table.find(i, token))
    for i, token in np.ndindex(DENSE.shape):
        at, found = find(i, token)
        assert bool(found) == (DENSE[i, token] > 0)
        if found:
            assert (table.entry_rows()[at], table.tokens[at], table.values[at]) == (i, token, DENSE[i, token])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": (0, 1)}, "it is out of order"),
        ({"first": (-1, 6)}, "it is out of order"),
        ({"first": (1, 6)}, "it is out of order"),
        ({"first": (3, 1)}, "it is out of order"),
        ({"tokens": (0, -1)}, "it has tokens beyond"),
        ({"tokens": (-1, 4)}, "it has tokens beyond"),
        ({"tokens": (3, 0)}, "it has the tokens of a row twice"),
    ],
)
def test_refuses_other_arrays(changes, message):
    table = table_of(DENSE)
    table.check("it")
    for name, (at, value) in changes.items():
        array = np.array(getattr(table, name))
        array[at] = value
        table = table._replace(**{name: array})
    with pytest.raises(ValueError, match=message):
        table.check("it")


def test_refuses_fewer_values_than_tokens():
    table = table_of(DENSE)
    with pytest.raises(ValueError, match="out of order"):
        table._replace(values=table.values[:-1]).check("it")
