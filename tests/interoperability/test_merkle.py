"""The Merkle tree against a naive reading of RFC 6962, and against its own proofs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interoperability.evidence import rules
from interoperability.evidence.rules import BrokenProof, Node

sizes = st.integers(1, 200)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:half]) + naive_root(leaves[half:])).digest()


def naive_path(position: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 2.1.1, word for word."""
    if len(leaves) <= 1:
        return []
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    if position < half:
        return [*naive_path(position, leaves[:half]), naive_root(leaves[half:])]
    return [*naive_path(position - half, leaves[half:]), naive_root(leaves[:half])]


def contents(size: int) -> list[bytes]:
    return [str(number).encode() for number in range(size)]


def tree(size: int) -> tuple[dict[Node, bytes], bytes]:
    nodes, frontier = rules.grow(0, [], map(rules.leaf_hash, contents(size)))
    return nodes, rules.root_of(frontier)


@given(st.integers(0, 200))
def test_the_root_is_that_of_the_rfc(size: int) -> None:
    assert tree(size)[1] == naive_root(contents(size))


@given(st.lists(st.integers(0, 20), max_size=12))
def test_growing_in_batches_gives_the_same_tree_as_at_once(batches: list[int]) -> None:
    size, frontier, nodes = 0, list[bytes](), dict[Node, bytes]()
    for batch in batches:
        leaves = [rules.leaf_hash(content) for content in contents(size + batch)[size:]]
        made, frontier = rules.grow(size, frontier, leaves)
        assert not made.keys() & nodes.keys()
        nodes |= made
        size += batch
        assert frontier == [nodes[node] for node in rules.subtrees((0, size))]
    assert (nodes, rules.root_of(frontier)) == tree(size)


@given(sizes, st.data())
def test_an_inclusion_proof_is_that_of_the_rfc_and_leads_to_the_root(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    nodes, root = tree(size)
    proof = [rules.range_hash(each, nodes) for each in rules.inclusion_ranges(position, size)]
    leaf = rules.leaf_hash(contents(size)[position])
    assert proof == naive_path(position, contents(size))
    assert rules.included_root(leaf, position, size, proof) == root


@given(sizes, st.data())
def test_a_proof_for_another_position_size_or_leaf_leads_elsewhere(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    nodes, root = tree(size)
    proof = [rules.range_hash(each, nodes) for each in rules.inclusion_ranges(position, size)]
    elsewhere = data.draw(st.integers(0, size + 2).filter(lambda other: other != position))
    leaf = rules.leaf_hash(contents(size)[position])
    assert leads_elsewhere(leaf, elsewhere, size, proof, root)
    assert leads_elsewhere(rules.leaf_hash(b"forged"), position, size, proof, root)
    assert leads_elsewhere(leaf, position, size, [*proof, leaf], root)
    if proof:
        assert leads_elsewhere(leaf, position, size, proof[:-1], root)


def leads_elsewhere(leaf: bytes, position: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        return rules.included_root(leaf, position, size, proof) != root
    except BrokenProof:
        return True


@given(sizes, st.data())
def test_a_consistency_proof_shows_that_the_old_log_begins_the_new_one(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    nodes, new_root = tree(new)
    proof = [rules.range_hash(each, nodes) for each in rules.consistency_ranges(old, new)]
    old_root = tree(old)[1]
    assert rules.is_consistent(old, old_root, new, new_root, proof)
    assert not rules.is_consistent(old, rules.leaf_hash(b"forged"), new, new_root, proof)
    if 0 < old < new:
        assert not rules.is_consistent(old, old_root, new, rules.leaf_hash(b"forged"), proof)
        assert not rules.is_consistent(old, old_root, new, new_root, proof[:-1])
        assert not rules.is_consistent(old, old_root, new, new_root, [*proof, old_root])


@pytest.mark.parametrize("size", [1, 2, 1023, 1024, 1025, 2**40 + 12345])
def test_a_proof_reads_few_nodes_however_large_the_log(size: int) -> None:
    for position in {0, size // 3, size - 1}:
        read = [node for each in rules.inclusion_ranges(position, size) for node in rules.subtrees(each)]
        assert len(read) <= 2 * size.bit_length()
