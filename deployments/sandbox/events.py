"""Events: what happened to an object, counted when it repeats, forgotten after an hour."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from deployments.sandbox.clock import stamp

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

KEPT = timedelta(hours=1)
_MESSAGE_LIMIT = 1024


def record(store: Store, involved: Object, type_: str, reason: str, message: str, source: str) -> None:
    """Write or count one event; see `Store.record_event`."""
    meta = involved["metadata"]
    namespace = meta.get("namespace") or "default"
    space = store.get("namespaces", None, namespace)
    if space is None or space["metadata"].get("deletionTimestamp"):
        return
    message = message[:_MESSAGE_LIMIT]
    moment = stamp(store.now())
    repeat = (str(meta.get("uid")), reason, message)
    known = store.repeats.get(repeat)
    if known and store.get("events", *known) is not None:

        def count(seen: Object) -> None:
            seen["count"] = seen.get("count", 1) + 1
            seen["lastTimestamp"] = moment

        store.update("events", *known, count)
        return
    serial = f"{store.revision + 1:016x}"
    event = store.create(
        "events",
        namespace,
        {
            "metadata": {"name": f"{meta['name'][:236]}.{serial}"},
            "involvedObject": _reference(involved),
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": source},
            "reportingComponent": source,
            "reportingInstance": "",
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "eventTime": None,
        },
    )
    store.repeats[repeat] = (namespace, event["metadata"]["name"])


def expire(store: Store) -> None:
    """Remove the events that nothing has repeated for an hour."""
    oldest = stamp(store.now() - KEPT)
    for event in store.list("events"):
        if (event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]) < oldest:
            store.remove("events", event)
    for repeat, place in list(store.repeats.items()):
        if store.get("events", *place) is None:
            del store.repeats[repeat]


def as_v1(event: Object) -> Object:
    """The same event as events.k8s.io/v1 shows it."""
    shown: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": event["metadata"],
        "eventTime": event.get("eventTime"),
        "action": event.get("action", ""),
        "reason": event.get("reason", ""),
        "note": event.get("message", ""),
        "type": event.get("type", "Normal"),
        "regarding": event.get("involvedObject", {}),
        "reportingController": event.get("reportingComponent", ""),
        "reportingInstance": event.get("reportingInstance", ""),
        "deprecatedCount": event.get("count", 1),
        "deprecatedFirstTimestamp": event.get("firstTimestamp"),
        "deprecatedLastTimestamp": event.get("lastTimestamp"),
        "deprecatedSource": event.get("source", {}),
    }
    return shown


def _reference(involved: Object) -> dict[str, Any]:
    meta = involved["metadata"]
    reference = {
        "apiVersion": involved.get("apiVersion", "v1"),
        "kind": involved.get("kind", ""),
        "name": meta["name"],
        "namespace": meta.get("namespace"),
        "uid": meta.get("uid"),
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {key: value for key, value in reference.items() if value is not None}
