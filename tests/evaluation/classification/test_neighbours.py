import numpy as np
import pytest
import torch

from rmae.evaluation.classification.neighbours import Neighbours, merge_ranks, nearest_ranks, read_ranks, vote

CPU = torch.device("cpu")


def unit(generator, number, width=6):
    vectors = generator.standard_normal((number, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def find(queries, features, k, **settings):
    features = torch.from_numpy(features)
    indices = torch.arange(len(features))
    return read_ranks(nearest_ranks(torch.from_numpy(queries), features, indices, k=k, device=CPU, **settings))


def plain(queries, features, labels, *, num_classes, k, temperature):
    """The same in plain numpy, a query at a time."""
    classes, nearest = [], []
    for query in queries:
        similarity = features @ query
        order = np.argsort(-similarity, kind="stable")[:k]
        votes = np.zeros(num_classes)
        for place in order:
            votes[labels[place]] += np.exp(np.float64(similarity[place]) / temperature)
        classes.append(np.argsort(-votes, kind="stable")[:5])
        nearest.append(order)
    return np.array(classes), np.array(nearest)


@pytest.mark.parametrize("k", [1, 7, 40])
def test_neighbours_and_votes_are_those_of_a_plain_search(k):
    generator = np.random.default_rng(0)
    queries, features, labels = unit(generator, 30), unit(generator, 90), generator.integers(0, 8, 90)
    classes, nearest = plain(queries, features, labels, num_classes=8, k=k, temperature=0.07)

    found = find(queries, features, 40)
    ranked, shares = vote(found, labels, num_classes=8, k=k, temperature=0.07)

    np.testing.assert_array_equal(found.indices[:, :k], nearest)
    np.testing.assert_array_equal(ranked, classes)
    assert ranked.shape == shares.shape == (30, 5)
    assert (np.diff(shares) <= 0).all()
    assert (shares.sum(axis=1) <= 1 + 1e-6).all()


def test_similarity_is_the_cosine():
    queries = np.array([[1, 0], [0.6, 0.8]], np.float32)
    features = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    found = find(queries, features, 4)
    np.testing.assert_array_equal(found.similarity, np.array([[1, 0, 0, -1], [0.8, 0.6, -0.6, -0.8]], np.float32))
    np.testing.assert_array_equal(found.indices, [[0, 2, 3, 1], [2, 0, 1, 3]])


@pytest.mark.parametrize("chunk", [(1, 1), (7, 13), (64, 4), (64, 1000)])
def test_chunks_of_any_size_find_the_same(chunk):
    generator = np.random.default_rng(1)
    # Whole numbers, whose products are exact in any order: many pictures are equally similar, also to 0.
    queries, features = (generator.integers(-1, 2, (number, 5)).astype(np.float32) for number in (20, 150))
    whole, parts = find(queries, features, 12), find(queries, features, 12, chunk=chunk)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_array_equal(parts.similarity, whole.similarity)


def test_of_equally_similar_pictures_the_first_are_taken():
    features = np.array([[0.0, 1.0], *[[1.0, 0.0]] * 6], np.float32)
    assert find(np.array([[1.0, 0.0]], np.float32), features, 3).indices.tolist() == [[1, 2, 3]]


def test_parts_searched_apart_merge_to_the_whole():
    generator = np.random.default_rng(2)
    queries, features = (
        torch.from_numpy(generator.integers(-2, 3, (number, 4)).astype(np.float32)) for number in (9, 50)
    )
    indices = torch.arange(50)
    whole = nearest_ranks(queries, features, indices, k=10, device=CPU)
    parts = [nearest_ranks(queries, features[rank::3], indices[rank::3], k=10, device=CPU) for rank in range(3)]
    assert torch.equal(merge_ranks(parts, 10), whole)


def test_more_neighbours_than_pictures_are_all_pictures():
    generator = np.random.default_rng(3)
    found = find(unit(generator, 4), unit(generator, 3), 200)
    assert found.indices.shape == (4, 3)


def test_votes_are_weighed_by_similarity():
    neighbours = Neighbours(np.array([[1.0, 0.9, 0.9]], np.float32), np.array([[0, 1, 2]]))
    labels = np.array([1, 0, 0])
    near = vote(neighbours, labels, num_classes=3, k=3, temperature=0.1)  # e^-1 twice against 1
    far = vote(neighbours, labels, num_classes=3, k=3, temperature=1.0)
    assert (near[0][0, 0], far[0][0, 0]) == (1, 0)
    assert near[1][0, 0] == pytest.approx(1 / (1 + 2 * np.exp(-1)), rel=1e-6)


def test_votes_stay_finite_at_any_temperature():
    neighbours = Neighbours(np.array([[1.0, 0.5]], np.float32), np.array([[0, 1]]))
    ranked, shares = vote(neighbours, np.array([1, 0]), num_classes=2, k=2, temperature=1e-4)
    assert ranked.tolist() == [[1, 0]]
    assert shares.tolist() == [[1.0, 0.0]]


def test_a_tie_of_votes_goes_to_the_lower_class():
    neighbours = Neighbours(np.array([[0.5, 0.5]], np.float32), np.array([[0, 1]]))
    for labels in ([2, 1], [1, 2]):
        ranked, _ = vote(neighbours, np.array(labels), num_classes=4, k=2, temperature=0.07)
        assert ranked.tolist() == [[1, 2, 0, 3]]
