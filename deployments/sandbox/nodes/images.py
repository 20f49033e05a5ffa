"""Images on the nodes: what is there, what is being pulled, and the answer of the registry for the rest.

A node's images are in its status, as on a real one, so they outlive a restart of the sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from deployments.sandbox.nodes import registry
from deployments.sandbox.settings import Settings

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_ANSWER_SECONDS, _TIMEOUT_SECONDS = 0.4, 3.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """A pull under way: it ends at `until` with the whole image (`size` bytes) or with `error`."""

    until: datetime
    seconds: float
    size: int = 0
    error: str = ""


class Images:
    """All nodes' images."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._transfers: dict[tuple[str, str], Transfer] = {}

    def present(self, node: str, image: registry.Image) -> bool:
        """Whether a node has the image."""
        obj = self._store.get("nodes", None, node)
        stored = (obj or {}).get("status", {}).get("images") or []
        return any(image.name in each["names"] for each in stored)

    def start(self, pod: Object, image: registry.Image, now: datetime) -> Transfer:
        """Begin to pull; a second pod that wants the same image on the same node shares the transfer."""
        node = pod["spec"]["nodeName"]
        shared = self._transfers.get((node, image.name))
        if shared is not None and shared.until > now:
            return shared
        answer = registry.pull(image, self._secrets(pod))
        if answer.error:
            seconds = _TIMEOUT_SECONDS if "i/o timeout" in answer.error else _ANSWER_SECONDS
            return Transfer(now + self._settings.real(seconds), seconds, error=answer.error)
        seconds = _ANSWER_SECONDS
        if not self.present(node, image):
            seconds += answer.size / self._settings.pull_bytes_per_second
        transfer = Transfer(now + self._settings.real(seconds), seconds, answer.size)
        self._transfers[node, image.name] = transfer
        return transfer

    def finish(self, node: str, image: registry.Image, size: int) -> None:
        """The transfer has ended: the node has the image now."""
        self._transfers.pop((node, image.name), None)
        if self.present(node, image):
            return

        def add(live: Object) -> None:
            images = live["status"].setdefault("images", [])
            images.append({"names": [image.name], "sizeBytes": size})

        self._store.update_status("nodes", None, node, add)

    def _secrets(self, pod: Object) -> list[Object]:
        namespace = pod["metadata"]["namespace"]
        names = [each.get("name", "") for each in pod["spec"].get("imagePullSecrets") or []]
        found = []
        for name in names:
            secret = self._store.get("secrets", namespace, name)
            if secret is None:
                message = f"Unable to retrieve some image pull secrets ({name});"
                message += " attempting to pull the image may not succeed."
                self._store.record_event(
                    pod, "Warning", "FailedToRetrieveImagePullSecret", message, source="kubelet"
                )
            else:
                found.append(secret)
        return found
