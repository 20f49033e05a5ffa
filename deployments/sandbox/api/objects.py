"""Create, update, patch, delete: from the body of a request to a write of the store."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api import bodies, patches, schema, server_side, versions, webhooks
from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.errors import ApiError, invalid, modified, not_found
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.clock import stamp
from deployments.sandbox.store import Object, Store

_PATCH_TYPES = (bodies.JSON_PATCH, bodies.MERGE_PATCH, bodies.STRATEGIC_PATCH, *bodies.APPLY_TYPES)


class Writes:
    """One write request: where it goes and how it is to be done."""

    def __init__(self, store: Store, address: Address, query: dict[str, str], agent: str) -> None:
        self._store = store
        self._address = address
        self._kind = address.kind
        self._query = query
        self._manager = (query.get("fieldManager") or agent.partition("/")[0] or "unknown")[:128]
        self.warnings: list[str] = []
        self._dry_run = read_dry_run(query.get("dryRun", ""), self._kind.kind)

    def create(self, body: Any) -> Object:
        """POST to a collection."""
        obj = self._decode(body)
        namespace = self._address.namespace if self._kind.namespaced else None
        given = obj["metadata"].get("namespace")
        if namespace and given and given != namespace:
            raise ApiError(
                400,
                f"the namespace of the provided object does not match the namespace sent on the request ({given}, "
                f"{namespace})",
            )
        if "status" in self._kind.subresources and self._kind.plural != "nodes":
            obj.pop("status", None)
        self._ask_webhooks(None, {**obj, "metadata": {**obj["metadata"], "namespace": namespace}})
        return self._store.create(self._kind.store, namespace, obj, self._manager, dry_run=self._dry_run)

    def update(self, body: Any) -> Object:
        """PUT of an object, or of its status."""
        current = self._current()
        wanted = self._decode(body)
        self._check_version(current, wanted)
        return self._write(current, wanted)

    def patch(self, content: bytes, media_type: str) -> tuple[Object, bool]:
        """PATCH in any of the five forms; True if the object is new."""
        if media_type not in _PATCH_TYPES or (self._kind.custom and media_type == bodies.STRATEGIC_PATCH):
            raise ApiError(
                415,
                "the body of the request was in an unknown format - accepted media types include: "
                + ", ".join(_PATCH_TYPES),
            )
        body = bodies.parse(content, media_type, _PATCH_TYPES)
        if media_type in bodies.APPLY_TYPES:
            return self._apply(body)
        if self._query.get("force"):
            raise invalid(
                "PatchOptions", "", [("force", "Forbidden: may not be specified for non-apply patch")]
            )
        current = self._current()
        wanted = patched(self._kind, current, body, media_type)
        self._check_version(current, wanted)
        self._check_fields(wanted)
        return self._write(current, wanted), False

    def _apply(self, body: Any) -> tuple[Object, bool]:
        if not self._query.get("fieldManager"):
            raise invalid(
                "PatchOptions", "", [("fieldManager", "Required value: is required for apply patch")]
            )
        applied = self._decode(body)
        if applied["metadata"].get("managedFields"):
            raise ApiError(400, "metadata.managedFields must be nil")
        name, namespace = self._address.name, self._address.namespace
        current = self._store.get(self._kind.store, namespace, name)
        if current is not None:
            current = versions.convert(self._kind, current)
            self._check_version(current, applied)
        elif applied["metadata"].get("resourceVersion") or self._address.subresource:
            raise not_found(self._kind.plural, name, self._kind.group)
        merged = server_side.apply(
            self._kind.store,
            current,
            applied,
            manager=self._query["fieldManager"],
            force=self._query.get("force") == "true",
            moment=stamp(self._store.now()),
            subresource=self._address.subresource,
        )
        if current is None:
            self._ask_webhooks(None, {**merged, "metadata": {**merged["metadata"], "namespace": namespace}})
            made = self._store.create(
                self._kind.store, namespace, merged, self._manager, dry_run=self._dry_run, operation="Apply"
            )
            return made, True
        if self._address.subresource == "status":
            fields = merged["metadata"]["managedFields"]
            written = {**current, "metadata": {**current["metadata"], "managedFields": fields}}
            return self._store.replace_status(self._kind.store, written, merged, dry_run=self._dry_run), False
        merged["status"] = current.get("status")
        if merged["status"] is None:
            del merged["status"]
        self._ask_webhooks(current, merged)
        return self._store.replace(
            self._kind.store, current, merged, track=False, dry_run=self._dry_run
        ), False

    def _current(self) -> Object:
        current = self._store.get(self._kind.store, self._address.namespace, self._address.name)
        if current is None:
            raise not_found(self._kind.plural, self._address.name, self._kind.group)
        return versions.convert(self._kind, current)

    def _write(self, current: Object, wanted: Object) -> Object:
        plural = self._kind.store
        if self._address.subresource == "status":
            return self._store.replace_status(
                plural, current, wanted, manager=self._manager, dry_run=self._dry_run
            )
        if "status" in self._kind.subresources:
            wanted = {key: value for key, value in wanted.items() if key != "status"}
            if "status" in current:
                wanted["status"] = current["status"]
        self._ask_webhooks(current, wanted)
        return self._store.replace(plural, current, wanted, manager=self._manager, dry_run=self._dry_run)

    def _ask_webhooks(self, current: Object | None, wanted: Object) -> None:
        self.warnings.extend(webhooks.check(self._store, self._kind, current, wanted))

    def _decode(self, body: Any) -> Object:
        kind = self._kind
        if not isinstance(body, dict):
            raise ApiError(400, "the request body is not an object")
        obj: Object = clone(body)
        if not self._address.name or obj.get("kind") or obj.get("apiVersion"):
            said = (obj.get("apiVersion", kind.api_version), obj.get("kind", kind.kind))
            if said != (kind.api_version, kind.kind):
                raise ApiError(
                    400,
                    f"the API version and kind in the data ({said[0]}, {said[1]}) do not match the expected "
                    f"({kind.api_version}, {kind.kind})",
                )
        obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
        if not isinstance(obj.setdefault("metadata", {}), dict):
            raise ApiError(400, "metadata is not an object")
        name = self._address.name
        if name and obj["metadata"].setdefault("name", name) != name:
            raise ApiError(
                400,
                f"the name of the object ({obj['metadata']['name']}) does not match the name on the URL ({name})",
            )
        self._check_fields(obj)
        return obj

    def _check_fields(self, obj: Object) -> None:
        unknown, wrong = schema.find_problems(self._kind, obj)
        if wrong:
            raise ApiError(
                400,
                f'{self._kind.kind} in version "{self._kind.version}" cannot be handled as a {self._kind.kind}: '
                + "; ".join(wrong[:10]),
            )
        if not unknown:
            return
        mode = self._query.get("fieldValidation") or "Warn"
        if mode == "Strict":
            raise ApiError(400, "strict decoding error: " + ", ".join(unknown))
        if mode == "Warn":
            self.warnings.extend(unknown)
        schema.prune(self._kind, obj)

    def _check_version(self, current: Object, wanted: Object) -> None:
        meta = wanted.get("metadata") or {}
        name = current["metadata"]["name"]
        version = meta.get("resourceVersion")
        if version and version != current["metadata"]["resourceVersion"]:
            raise modified(self._kind.plural, name, self._kind.group)
        uid = meta.get("uid")
        if uid and uid != current["metadata"]["uid"]:
            raise ApiError(
                409,
                f'Operation cannot be fulfilled on {self._kind.plural} "{name}": Precondition failed: UID in '
                f"precondition: {uid}, UID in object meta: {current['metadata']['uid']}",
            )


def patched(kind: Kind, current: Object, body: Any, media_type: str) -> Object:
    """The object after a JSON, merge or strategic merge patch."""
    if media_type == bodies.JSON_PATCH:
        wanted = patches.json_patch(current, body)
    elif not isinstance(body, dict):
        raise ApiError(400, "a merge patch is a JSON object")
    elif media_type == bodies.MERGE_PATCH:
        wanted = patches.merge_patch(current, body)
    else:
        wanted = patches.strategic_patch(current, body, schema.root(kind))
    if not isinstance(wanted, dict) or not isinstance(wanted.get("metadata"), dict):
        raise ApiError(422, "the patch leaves no object")
    wanted = clone(wanted)
    wanted["metadata"]["resourceVersion"] = _asked_version(body, current)
    return wanted


def _asked_version(body: Any, current: Object) -> str:
    """A patch that names a resourceVersion insists on it; any other takes the newest object."""
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        asked = body["metadata"].get("resourceVersion")
        if asked:
            return str(asked)
    return str(current["metadata"]["resourceVersion"])


def read_dry_run(value: str, kind: str) -> bool:
    """Whether nothing is to be stored. Raises ApiError 422 for anything but `All`."""
    if value not in ("", "All"):
        raise invalid(kind, "", [("dryRun", f'Unsupported value: "{value}": supported values: "All"')])
    return value == "All"
