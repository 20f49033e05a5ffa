"""Which objects a label or field selector finds."""

import pytest

from deployments.sandbox.api import kinds, selectors
from deployments.sandbox.api.errors import ApiError

OBJ = {
    "metadata": {
        "name": "a",
        "namespace": "models",
        "labels": {"app": "vllm", "tier": "gpu", "x.io/part-of": "md"},
    },
    "spec": {"nodeName": "node-1"},
    "status": {"phase": "Running"},
    "involvedObject": {"uid": "u-1"},
    "source": {"component": "kubelet"},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app=vllm", True),
        ("app==vllm", True),
        ("app=nim", False),
        ("app!=nim", True),
        ("app!=vllm", False),
        ("other!=x", True),
        ("app=vllm,tier=gpu", True),
        ("app=vllm,tier=cpu", False),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("app in (vllm, nim)", True),
        ("app in (nim)", False),
        ("app notin (nim)", True),
        ("app notin (nim,vllm),tier", False),
        ("other notin (x)", True),
        ("x.io/part-of=md", True),
        (" app = vllm , tier in (gpu) ", True),
        ("other=", False),
        ("", True),
    ],
)
def test_a_label_selector_finds_what_it_says(text: str, found: bool) -> None:
    assert selectors.by_labels(text)(OBJ) is found


@pytest.mark.parametrize("text", ["=x", "app in vllm", "app in (", "a b", ",", "app=vllm,,tier", "app>1"])
def test_a_label_selector_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refusal:
        selectors.by_labels(text)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("plural", "text", "found"),
    [
        ("pods", "metadata.name=a", True),
        ("pods", "metadata.name=a,metadata.namespace=models", True),
        ("pods", "spec.nodeName=node-1", True),
        ("pods", "spec.nodeName==node-2", False),
        ("pods", "status.phase!=Running", False),
        ("pods", "status.podIP=", True),
        ("nodes", "spec.unschedulable=false", True),
        ("events", "involvedObject.uid=u-1", True),
        ("events", "source=kubelet", True),
        ("secrets", "type!=Opaque", True),
    ],
)
def test_a_field_selector_finds_what_it_says(plural: str, text: str, found: bool) -> None:
    assert selectors.by_fields(kinds.on_shelf(plural), text)(OBJ) is found


@pytest.mark.parametrize("text", ["spec.image=x", "metadata.uid=1", "nonsense"])
def test_a_field_that_is_not_indexed_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refusal:
        selectors.by_fields(kinds.on_shelf("pods"), text)
    assert refusal.value.status == 400
