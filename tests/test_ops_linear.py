"""Matrix products and embeddings: the laws, and mistakes that must be sentences."""

import numpy as np
import pytest
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import broadcastable, case, integers, normals, shapes, sizes

import minigen as mg


@st.composite
def products(draw):
    """1-D, 2-D, and stacks of matrices whose first axes broadcast."""
    n, k, m = draw(sizes()), draw(sizes()), draw(sizes())
    first, second = draw(broadcastable())
    a, b = draw(
        st.sampled_from([((k,), (k,)), ((k,), (k, m)), ((n, k), (k,)), ((n, k), (k, m))])
        | st.just(((*first[:2], n, k), (*second[:2], k, m)) if _fits(first[:2], second[:2]) else ((n, k), (k, m)))
        | st.sampled_from([((k,), (*first, k, m)), ((*first, n, k), (k,))])
    )
    a, b = draw(normals(a)), draw(normals(b))
    return case(mg.matmul, [a, b], np.asarray(a @ b))


def _fits(first, second):
    try:
        np.broadcast_shapes(first, second)
    except ValueError:
        return False
    return True


@st.composite
def dense_layers(draw):
    n, d, m = draw(sizes()), draw(sizes()), draw(sizes())
    x, w = draw(normals((n, d))), draw(normals((d, m)))
    b = draw(st.none() | normals((m,)))
    return case(mg.dense, [x, w, b], x @ w + (0 if b is None else b))


@st.composite
def embeddings(draw):
    v, d = draw(sizes(1, 4)), draw(sizes(1, 3))
    w = draw(normals((v, d)))
    ids = draw(integers(draw(shapes(0, 2)), v))
    return case(mg.embedding, [ids, w], w[ids])


CASES = {"matmul": products(), "dense": dense_layers(), "embedding": embeddings()}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


def test_dense_by_hand():
    """The gradients of y = x w + b, called as formulas on plain arrays: backprop by hand."""
    x, w, dy = (mg.asarray(np.array(a, dtype=float)) for a in ([[1, 2]], [[1, 0, 2], [0, 1, 1]], [[1, 10, 100]]))
    same(mg.dense.forward(x, w, mg.asarray(np.array([1.0, 1, 1]))), np.array([[2.0, 3, 5]]))
    same(mg.dense.d_x(dy, w), np.array([[201.0, 110]]))
    same(mg.dense.d_w(dy, x), np.array([[1.0, 10, 100], [2, 20, 200]]))
    same(mg.dense.d_b(dy), np.array([1.0, 10, 100]))


def test_embedding_adds_repeated_ids():
    w = mg.tensor(np.ones((4, 2)), requires_grad=True)
    mg.embedding(mg.asarray(np.array([[1, 1], [3, 1]])), w).sum().backward()
    same(w.grad, np.array([[0.0, 0], [3, 3], [0, 0], [1, 1]]))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64"])
def test_embedding_ids_of_any_integer_type(dtype):
    """Also a type that cannot hold the number of entries."""
    w = mg.tensor(np.zeros((70000, 2)), requires_grad=True)
    mg.embedding(mg.asarray(np.array([1, 100, 1], dtype)), w).sum().backward()
    assert [w.grad[i].tolist() for i in (0, 1, 100)] == [[0, 0], [2, 2], [1, 1]]


def test_embedding_takes_a_list_of_ids():
    same(mg.embedding([2, 0], mg.asarray(np.eye(3))), np.eye(3)[[2, 0]])


F32, F64 = np.ones((2, 2), dtype=np.float32), np.ones((2, 2))
MISTAKES = [
    (lambda: mg.dense(mg.asarray(np.ones((5, 64))), mg.asarray(np.ones((784, 10)))),
     ValueError, r"dense: x has 64 features \(axis 1\), w wants 784"),
    (lambda: mg.dense(mg.asarray(np.ones((2, 3, 4))), mg.asarray(np.ones((4, 2)))),
     ValueError, r"dense: x has shape \(2, 3, 4\)"),
    (lambda: mg.matmul(mg.asarray(F32), mg.asarray(F64)), TypeError, "a is float32, b is float64"),
    (lambda: mg.dense(mg.asarray(F64), mg.asarray(F32)), TypeError, "dense: x is float64, w is float32"),
    (lambda: mg.matmul(mg.asarray(F64.astype(int)), mg.asarray(F64)), TypeError, "matmul: a holds int64"),
    (lambda: mg.embedding([0, 4], mg.asarray(F64)), IndexError, "ids run from 0 to 4, wants 0 to 1"),
    (lambda: mg.embedding(mg.asarray(F64), mg.asarray(F64)), TypeError, "ids are float64, wants integers"),
]  # fmt: skip


@pytest.mark.parametrize("call, kind, sentence", MISTAKES, ids=[m[2][:30] for m in MISTAKES])
def test_mistakes_are_sentences(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
