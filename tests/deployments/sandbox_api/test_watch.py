"""Watches on the wire: bookmarks, initial events, selectors, the forgotten past."""

import json
import ssl
import threading
import urllib.parse
import urllib.request
from typing import Any

from tests.deployments.sandbox_api.cluster import Cluster
from tests.deployments.sandbox_api.objects import changed, configmap

LABEL = "metadata.labels"


def watch(api: Cluster, namespace: str, **query: str) -> list[dict[str, Any]]:
    """All events of a watch that lasts a second at most."""
    status, body, _headers = api.ask("GET", _path(namespace, **query))
    assert status == 200, body
    lines = body if isinstance(body, str) else json.dumps(body)
    return [json.loads(line) for line in lines.splitlines()]


def _path(namespace: str, **query: str) -> str:
    options = {"watch": "true", "timeoutSeconds": "1"} | query
    return f"/api/v1/namespaces/{namespace}/configmaps?{urllib.parse.urlencode(options)}"


def create(api: Cluster, namespace: str, obj: dict[str, Any]) -> dict[str, Any]:
    status, body, _headers = api.ask("POST", f"/api/v1/namespaces/{namespace}/configmaps", obj)
    assert status == 201, body
    made: dict[str, Any] = body
    return made


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_watch_without_a_version_begins_with_what_is_there(api: Cluster, namespace: str) -> None:
    create(api, namespace, configmap("a"))
    assert told(watch(api, namespace)) == [("ADDED", "a")]


def test_a_watch_from_a_version_tells_only_what_came_later(api: Cluster, namespace: str) -> None:
    first = create(api, namespace, configmap("a"))
    create(api, namespace, configmap("b"))
    events = watch(api, namespace, resourceVersion=first["metadata"]["resourceVersion"])
    assert told(events) == [("ADDED", "b")]


def test_initial_events_end_with_a_marked_bookmark(api: Cluster, namespace: str) -> None:
    create(api, namespace, configmap("a"))
    events = watch(
        api,
        namespace,
        sendInitialEvents="true",
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
    )
    assert told(events) == [("ADDED", "a"), ("BOOKMARK", "")]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_an_object_that_leaves_the_selector_is_deleted_for_the_watcher(api: Cluster, namespace: str) -> None:
    made = create(api, namespace, changed(configmap("a"), LABEL, {"in": "yes"}))
    create(api, namespace, changed(configmap("b"), LABEL, {"in": "no"}))
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    merge = "application/merge-patch+json"
    for value in ("no", "yes"):
        api.ask("PATCH", f"{base}/a", {"metadata": {"labels": {"in": value}}}, content_type=merge)
    events = watch(
        api, namespace, resourceVersion=made["metadata"]["resourceVersion"], labelSelector="in=yes"
    )
    assert told(events) == [("DELETED", "a"), ("ADDED", "a")]


def test_a_version_that_is_forgotten_is_told_as_an_error_event(api: Cluster, namespace: str) -> None:
    first = create(api, namespace, configmap("a"))
    create(api, namespace, configmap("b"))
    assert api.ask("POST", "/sandbox/compact")[0] == 200
    events = watch(api, namespace, resourceVersion=first["metadata"]["resourceVersion"])
    assert [(event["type"], event["object"]["code"], event["object"]["reason"]) for event in events] == [
        ("ERROR", 410, "Expired")
    ]


def test_a_version_of_the_future_is_refused(api: Cluster, namespace: str) -> None:
    status, body, _headers = api.ask("GET", _path(namespace, resourceVersion="999999999"))
    assert (status, body["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")


def test_a_watch_tells_a_write_while_it_is_open(api: Cluster, namespace: str) -> None:
    request = urllib.request.Request(api.address + _path(namespace, timeoutSeconds="20"))
    request.add_header("Authorization", f"Bearer {api.token}")
    trust = ssl.create_default_context(cafile=api.data / "authority.crt")
    with urllib.request.urlopen(request, timeout=20, context=trust) as stream:
        threading.Timer(0.05, create, (api, namespace, configmap("late"))).start()
        assert told([json.loads(stream.readline())]) == [("ADDED", "late")]


def test_a_table_watch_sends_its_columns_once(api: Cluster, namespace: str) -> None:
    create(api, namespace, configmap("a"))
    create(api, namespace, configmap("b"))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    _status, body, _headers = api.ask("GET", _path(namespace), headers=accept)
    tables = [json.loads(line)["object"] for line in body.splitlines()]
    assert [bool(table["columnDefinitions"]) for table in tables] == [True, False]
    assert [table["rows"][0]["cells"][0] for table in tables] == ["a", "b"]
