"""Requests that are wrong or unusual: media types, sizes, unknown fields, unknown places."""

from typing import Any

import pytest

from tests.deployments.sandbox_api.cluster import Cluster
from tests.deployments.sandbox_api.objects import changed, configmap, statefulset

APPLY = "application/apply-patch+yaml"


def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.mark.parametrize(
    ("content", "media_type", "status", "reason"),
    [
        (
            b"k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod",
            "application/vnd.kubernetes.protobuf",
            415,
            "UnsupportedMediaType",
        ),
        (b"k8s\x00\xff\xff", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "UnsupportedMediaType"),
        (b"\xa1aa\x01", "application/cbor", 415, "UnsupportedMediaType"),
        (b"{", "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"null", "application/json", 400, "BadRequest"),
        (b"\xff\xfe", "application/json", 400, "BadRequest"),
        (b'{"metadata": 1}', "application/json", 400, "BadRequest"),
        (b'{"metadata": {"name": "a"}, "data": {"a": 1}}', "application/json", 400, "BadRequest"),
        (b'{"kind": "Secret", "metadata": {"name": "a"}}', "application/json", 400, "BadRequest"),
        (b'{"metadata": {"name": "a", "namespace": "other"}}', "application/json", 400, "BadRequest"),
        (b" " * (3 * 1024 * 1024 + 1), "application/json", 413, "RequestEntityTooLarge"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_a_status(
    api: Cluster, namespace: str, content: bytes, media_type: str, status: int, reason: str
) -> None:
    code, body, _headers = api.ask("POST", maps(namespace), content, content_type=media_type)
    assert (code, body["kind"], body["reason"]) == (status, "Status", reason)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/gadgets", 404),
        ("GET", "/apis/nowhere.io/v1/things", 404),
        ("GET", "/api/v1/namespaces/models/nodes", 404),
        ("GET", "/api/v1/pods/a/b/c", 404),
        ("GET", "/api/v1/namespaces/models/configmaps/a/scale", 404),
        ("PUT", "/api/v1/nodes", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/x", 405),
        ("POST", "/version", 405),
        ("GET", "/sandbox/elsewhere", 404),
        ("GET", "/api/v1/pods?labelSelector=a%20b", 400),
        ("GET", "/api/v1/pods?fieldSelector=spec.x=1", 400),
        ("GET", "/api/v1/pods?limit=-1", 400),
        ("GET", "/api/v1/pods?continue=rubbish", 400),
    ],
)
def test_a_place_or_question_that_makes_no_sense_is_refused(
    api: Cluster, method: str, path: str, status: int
) -> None:
    code, body, _headers = api.ask(method, path, {} if method in ("PUT", "POST") else None)
    assert (code, body["kind"], body["code"]) == (status, "Status", status)


def test_an_unknown_field_is_dropped_with_a_warning_or_refused(api: Cluster, namespace: str) -> None:
    odd = configmap() | {"colour": "blue"}
    code, body, headers = api.ask("POST", maps(namespace), odd)
    assert (code, "colour" in body) == (201, False)
    assert "unknown field 'colour'" in headers["warning"]
    code, body, headers = api.ask(
        "POST", f"{maps(namespace)}?fieldValidation=Ignore", changed(odd, "metadata.name", "b")
    )
    assert (code, "warning" in headers) == (201, False)
    code, body, _headers = api.ask(
        "POST", f"{maps(namespace)}?fieldValidation=Strict", changed(odd, "metadata.name", "c")
    )
    assert (code, body["message"]) == (400, 'strict decoding error: unknown field "colour"')


def test_apply_takes_yaml_and_wants_a_manager(api: Cluster, namespace: str) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\ndata: {since: 2026-01-02}\n"
    path = f"{maps(namespace)}/settings"
    code, body, _headers = api.ask("PATCH", f"{path}?fieldManager=me", text, content_type=APPLY)
    assert (code, body["data"]) == (201, {"since": "2026-01-02"})
    assert api.ask("PATCH", path, text, content_type=APPLY)[0] == 422
    bad = b"kind: [unclosed"
    assert api.ask("PATCH", f"{path}?fieldManager=me", bad, content_type=APPLY)[0] == 400


def test_a_strategic_patch_of_a_custom_resource_is_refused(api: Cluster, namespace: str) -> None:
    base = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes"
    assert api.ask("POST", base, {"metadata": {"name": "a"}, "spec": {}})[0] == 201
    strategic = "application/strategic-merge-patch+json"
    assert api.ask("PATCH", f"{base}/a", {"spec": {}}, content_type=strategic)[0] == 415


def test_a_patch_may_insist_on_a_version(api: Cluster, namespace: str) -> None:
    api.ask("POST", maps(namespace), configmap())
    patch: dict[str, Any] = {"metadata": {"resourceVersion": "1"}, "data": {"b": "1"}}
    merge = "application/merge-patch+json"
    assert api.ask("PATCH", f"{maps(namespace)}/settings", patch, content_type=merge)[0] == 409
    del patch["metadata"]
    assert api.ask("PATCH", f"{maps(namespace)}/settings", patch, content_type=merge)[0] == 200


def test_a_delete_may_insist_on_a_uid(api: Cluster, namespace: str) -> None:
    _status, made, _headers = api.ask("POST", maps(namespace), configmap())
    path = f"{maps(namespace)}/settings"
    assert api.ask("DELETE", path, {"preconditions": {"uid": "other"}})[0] == 409
    assert api.ask("DELETE", path, {"preconditions": {"uid": made["metadata"]["uid"]}})[0] == 200


def test_two_variables_of_one_name_pass_a_plain_create(api: Cluster, namespace: str) -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    body = changed(statefulset(), "spec.template.spec.containers.0.env", twice)
    assert api.ask("POST", f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body)[0] == 201


def test_requests_are_counted_by_verb_and_resource(api: Cluster, namespace: str) -> None:
    api.ask("DELETE", "/sandbox/requests")
    for _time in range(3):
        api.ask("GET", "/api/v1/pods")
    api.ask("POST", maps(namespace), configmap())
    _status, told, _headers = api.ask("GET", "/sandbox/requests")
    assert told["total"] == 4
    assert told["requests"][0] == {"verb": "list", "resource": "pods", "count": 3}
