"""YAML as people mean it: plain values, no aliases, no key twice.

Aliases let a small text unfold into a large one; a key written twice means that one of the two is silently lost.
Pure: no Django, no I/O.
"""

from __future__ import annotations

from typing import Any

import yaml


class PlainLoader(yaml.SafeLoader):
    """A safe loader without aliases, so that a small text cannot unfold into a large one, nor repeat a key."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise ValueError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        doubles = {key for key in keys if isinstance(key, str) and keys.count(key) > 1}
        if doubles:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {min(doubles)} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


# Version-like values (1.10, 0644) must stay what was written; quantities and tags are text.
PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
