"""Names are legal, kept where they can be, and never the same for two deployments."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import naming
from deployments.vocabulary import Engine

SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
ANY = st.text(max_size=200)
GOOD = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True).filter(
    lambda name: "--" not in name
)
#: Few characters, so that different texts come close to each other.
CLOSE = st.text("aA-_0", max_size=60)
NAMERS = [
    naming.workload,
    naming.headless_service,
    naming.environment_secret,
    naming.weights_secret,
    naming.registry_secret,
    naming.tls_secret,
    naming.ngc_secret,
    naming.cache_claim,
    naming.route,
    naming.graph,
]


@pytest.mark.parametrize("namer", NAMERS)
@given(name=ANY)
def test_every_name_is_legal_for_a_service(namer, name: str) -> None:
    assert SERVICE.fullmatch(namer(name))
    assert namer(name).startswith("md-")


@given(ANY)
def test_a_workload_leaves_room_for_the_hash_of_its_revision(name: str) -> None:
    assert len(naming.workload(name)) <= naming.LONGEST_WORKLOAD_NAME == 52


@given(ANY)
def test_a_graph_leaves_room_for_the_names_of_its_components(name: str) -> None:
    assert len(naming.graph(name)) + len("Frontend") <= 45


def test_what_an_operator_makes_of_a_graph_cannot_be_another_deployment_s() -> None:
    assert naming.graph("chat") == "md-chat--graph"
    assert f"{naming.graph('chat')}-frontend" != naming.client_service("chat-frontend")
    assert naming.scaling_adapter("chat", "Decode") == "md-chat--graph-decode"


def test_what_an_operator_makes_does_not_pass_for_ours() -> None:
    """Operators copy these labels to their services, which our plan would else prune."""
    assert naming.MANAGED_BY_LABEL not in naming.operated_labels("chat")
    assert naming.selector("chat").items() <= naming.operated_labels("chat").items()


@given(GOOD)
def test_a_good_name_is_kept(name: str) -> None:
    assert naming.workload(name) == f"md-{name}"
    assert naming.label_value(name) == name
    assert naming.route_path(name) == f"/{name}/v1"


@given(CLOSE | ANY | GOOD, CLOSE | ANY | GOOD)
def test_two_deployments_share_no_name(one: str, other: str) -> None:
    if one == other:
        return
    names = [{namer(name) for namer in NAMERS} for name in (one, other)]
    assert len(names[0]) == len(NAMERS)
    assert not names[0] & names[1]
    assert naming.label_value(one) != naming.label_value(other)
    assert naming.route_path(one) != naming.route_path(other)


def test_a_name_cannot_pass_for_another_that_had_to_change() -> None:
    changed = naming.workload("Chat")
    assert changed.startswith("md-chat--")
    assert naming.workload(changed.removeprefix("md-")) != changed
    label = naming.label_value("Chat/Code")
    assert naming.label_value(label) != label


def test_a_name_cannot_pass_for_an_object_of_another_deployment() -> None:
    assert naming.workload("chat--env") != naming.environment_secret("chat")


@pytest.mark.parametrize("name", ["", "-", "Ünïcödé", "a" * 49, "a_b", "a.b", "日本語", "\ud800", "\0"])
def test_what_kubernetes_does_not_take_becomes_something_that_it_takes(name: str) -> None:
    assert SERVICE.fullmatch(naming.workload(name))
    assert LABEL_VALUE.fullmatch(naming.label_value(name))


@given(ANY)
def test_a_selector_finds_the_labels(name: str) -> None:
    labels = naming.labels(name, Engine.VLLM)
    assert naming.selector(name).items() <= labels.items()
    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
    wanted = dict(part.split("=") for part in naming.selector_text(name).split(","))
    assert wanted.items() <= labels.items()
    assert naming.selector_text(name).startswith(naming.MANAGED_SELECTOR)


def test_names_stay_as_they_were() -> None:
    """They are found in clusters: a change here would orphan running deployments."""
    assert naming.workload("Llama 3.1/8B") == "md-llama-3-1-8b--uxmajbrjw7st"
    assert naming.headless_service("chat") == "md-chat--pods"
    assert naming.environment_secret("chat") == "md-chat--env"
    assert naming.selector("chat") == {"slipway/deployment": "chat"}
