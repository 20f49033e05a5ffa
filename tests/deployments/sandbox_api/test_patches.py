"""JSON patch, merge patch and strategic merge patch."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.api import kinds, patches, schema
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_merges_objects_and_replaces_the_rest(target: Any, patch: Any, result: Any) -> None:
    assert patches.merge_patch(target, patch) == result


@given(target=st.dictionaries(st.text(max_size=3), JSON), patch=st.dictionaries(st.text(max_size=3), JSON))
def test_a_merge_patch_twice_is_a_merge_patch_once(target: Any, patch: Any) -> None:
    before = clone(target)
    once = patches.merge_patch(target, patch)
    assert patches.merge_patch(once, patch) == once
    assert target == before


@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        ({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"x/y": 1, "m~n": 2}, [{"op": "remove", "path": "/x~1y"}, {"op": "remove", "path": "/m~0n"}], {}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}], {}),
    ],
)
def test_a_json_patch_does_its_operations_in_order(target: Any, operations: Any, result: Any) -> None:
    assert patches.json_patch(target, operations) == result


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ({"op": "add"}, 400),
        ([{"path": "/a"}], 400),
        ([{"op": "remove", "path": "/missing"}], 422),
        ([{"op": "replace", "path": "/missing", "value": 1}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "add", "path": "a", "value": 2}], 422),
        ([{"op": "add", "path": "/list/7", "value": 2}], 422),
        ([{"op": "add", "path": "/a"}], 422),
        ([{"op": "jump", "path": "/a"}], 422),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operations: Any, status: int) -> None:
    with pytest.raises(ApiError) as refusal:
        patches.json_patch({"a": 1, "list": []}, operations)
    assert refusal.value.status == status


def strategic(target: dict[str, Any], patch: dict[str, Any]) -> Any:
    return patches.strategic_patch(target, patch, schema.root(kinds.on_shelf("pods")))


def pod_of(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)} | spec}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        (
            pod_of({"name": "a", "image": "1"}, {"name": "b", "image": "1"}),
            pod_of({"name": "b", "image": "2"}),
            pod_of({"name": "a", "image": "1"}, {"name": "b", "image": "2"}),
        ),
        (
            pod_of({"name": "a", "env": [{"name": "X", "value": "1"}]}),
            pod_of({"name": "a", "env": [{"name": "Y", "value": "2"}]}),
            pod_of({"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}),
        ),
        (
            pod_of({"name": "a"}, {"name": "b"}),
            pod_of({"name": "a", "$patch": "delete"}),
            pod_of({"name": "b"}),
        ),
        (
            pod_of({"name": "a"}, {"name": "b"}),
            pod_of({"$patch": "replace"}, {"name": "c"}),
            pod_of({"name": "c"}),
        ),
        # The order that kubectl sends decides, not the order of arrival.
        (
            pod_of({"name": "a"}),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "z"}, {"name": "a"}],
                    "containers": [{"name": "z"}],
                }
            },
            pod_of({"name": "z"}, {"name": "a"}),
        ),
        # A list without a merge key in its schema is replaced.
        (
            pod_of({"name": "a", "args": ["x"]}),
            pod_of({"name": "a", "args": ["y"]}),
            pod_of({"name": "a", "args": ["y"]}),
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
        ),
        (
            {"metadata": {"finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
            {"metadata": {"finalizers": ["a", "b"]}},
        ),
        (
            pod_of(volumes=[{"name": "v", "emptyDir": {}}]),
            {
                "spec": {
                    "volumes": [
                        {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
                    ]
                }
            },
            pod_of(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
        ),
        (
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None}}},
            {"metadata": {"labels": {"b": "2"}}},
        ),
    ],
)
def test_a_strategic_patch_merges_lists_by_their_key(target: Any, patch: Any, result: Any) -> None:
    assert strategic(target, patch) == result


def test_a_strategic_patch_without_the_merge_key_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        strategic(pod_of({"name": "a"}), pod_of({"image": "2"}))
    assert refusal.value.status == 400
