"""What a registry answers, and how a pod waits for an image that does not come."""

import base64
import json

import pytest

from deployments.sandbox.nodes.registry import parse_image, pull
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("vllm/vllm-openai:v9.9.9", "docker.io/vllm/vllm-openai:v9.9.9: not found"),
        ("vllm/no-such-image:v1", "not found"),
        ("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8", "401 Unauthorized"),
        ("registry.example.com/private/vllm-openai:v0.33.0", "401 Unauthorized"),
        ("unreachable.example.com/vllm/vllm-openai:v0.33.0", "i/o timeout"),
        ("registry.invalid/vllm/vllm-openai:v0.33.0", "no such host"),
    ],
)
def test_a_pull_that_fails_ends_in_back_off(cluster: Cluster, image: str, sentence: str) -> None:
    cluster.add(image=image)
    cluster.advance(6)
    reason, message = cluster.waiting()
    assert reason == "ImagePullBackOff"
    assert sentence in message
    assert any(sentence in text for text in cluster.events("md-a-0", "Failed"))
    assert cluster.pod()["status"]["phase"] == "Pending"
    assert cluster.pod()["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_first_failure_shows_as_err_image_pull(cluster: Cluster) -> None:
    cluster.add(image="vllm/vllm-openai:v9")
    cluster.advance(2.2)
    assert cluster.waiting()[0] == "ErrImagePull"


def test_the_back_off_doubles(cluster: Cluster) -> None:
    cluster.add(image="vllm/vllm-openai:v9")
    cluster.advance(60)
    pulls = [event for event in cluster.store.list("events", NAMESPACE) if event["reason"] == "Pulling"]
    # At about 1, 12, 33 and 74 seconds.
    assert sum(event["count"] for event in pulls) == 3
    cluster.advance(20)
    pulls = [event for event in cluster.store.list("events", NAMESPACE) if event["reason"] == "Pulling"]
    assert sum(event["count"] for event in pulls) == 4


def test_a_mirror_has_the_same_tags(cluster: Cluster) -> None:
    cluster.add(image="registry.example.com:5000/mirror/vllm-openai:v0.26.0")
    cluster.advance(60)
    assert cluster.ready()


def test_a_name_that_is_no_image_is_refused(cluster: Cluster) -> None:
    cluster.add(image="vllm/vllm openai")
    cluster.advance(5)
    reason, message = cluster.waiting()
    assert reason == "InvalidImageName"
    assert "invalid reference format" in message


def test_never_pull_finds_nothing(cluster: Cluster) -> None:
    cluster.add(container={"imagePullPolicy": "Never"})
    cluster.advance(5)
    assert cluster.waiting()[0] == "ErrImageNeverPull"


def _login(user: str = "$oauthtoken", password: str = "key") -> dict[str, object]:
    auths = {"auths": {"nvcr.io": {"username": user, "password": password}}}
    data = base64.b64encode(json.dumps(auths).encode()).decode()
    return {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}}


def test_a_login_opens_the_registry() -> None:
    image = parse_image("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8")
    assert image is not None
    assert pull(image, [_login()]).error == ""


@pytest.mark.parametrize(
    "secret",
    [
        _login(user="me"),
        _login(password=""),
        {"type": "Opaque", "data": _login()["data"]},
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "not base64"}},
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "W10="}},
    ],
)
def test_a_wrong_login_does_not(secret: dict[str, object]) -> None:
    image = parse_image("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8")
    assert image is not None
    assert "401 Unauthorized" in pull(image, [secret]).error


def test_a_missing_pull_secret_is_told(cluster: Cluster) -> None:
    cluster.add(
        image="nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8", pod={"imagePullSecrets": [{"name": "ngc"}]}
    )
    cluster.advance(6)
    assert "(ngc)" in cluster.events("md-a-0", "FailedToRetrieveImagePullSecret")[0]
    assert cluster.waiting()[0] == "ImagePullBackOff"
