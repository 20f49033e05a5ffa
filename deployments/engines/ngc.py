"""What is known of NVIDIA's packaged models (NIM): their images, their release lines, and when a key is needed.

The list is an offer, not a limit: any image and any tag may be named. NIM changed much between 1.x and 2.x, and only
the tag tells which one an image is. Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from deployments.context import ModelSource
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine, SourceKind

REGISTRY: Final = "nvcr.io"
REGISTRY_USER: Final = "$oauthtoken"
"""Literally: every NGC key logs in under this name."""

#: The first 2.x version of which some images need no key.
KEYLESS_SINCE: Final = (2, 0, 10)


@dataclass(frozen=True, slots=True)
class NimImage:
    """One known image."""

    image: str
    tag: str
    """The newest one known."""
    title: str


#: Newest first within a model. The tags are those of NVIDIA's support matrices.
KNOWN: Final = (
    NimImage("nvcr.io/nim/openai/gpt-oss-20b", "2.0.3", "gpt-oss 20B"),
    NimImage("nvcr.io/nim/openai/gpt-oss-120b", "2.0.3", "gpt-oss 120B"),
    NimImage("nvcr.io/nim/openai/gpt-oss-120b-pb6", "2.0.4-pb6.0", "gpt-oss 120B, production branch"),
    NimImage("nvcr.io/nim/meta/llama-3.1-8b-instruct", "2.0.3", "Llama 3.1 8B Instruct"),
    NimImage(
        "nvcr.io/nim/meta/llama-3.1-8b-instruct-pb6",
        "2.0.4-pb6.0",
        "Llama 3.1 8B Instruct, production branch",
    ),
    NimImage("nvcr.io/nim/meta/llama-3.1-70b-instruct", "2.0.3", "Llama 3.1 70B Instruct"),
    NimImage("nvcr.io/nim/meta/llama-3.3-70b-instruct", "2.0.3", "Llama 3.3 70B Instruct"),
    NimImage(
        "nvcr.io/nim/meta/llama-3.3-70b-instruct-pb6",
        "2.0.4-pb6.0",
        "Llama 3.3 70B Instruct, production branch",
    ),
    NimImage(
        "nvcr.io/nim/nvidia/llama-3.3-nemotron-super-49b-v1.5-pb6",
        "2.0.4-pb6.0",
        "Llama 3.3 Nemotron Super 49B, production branch",
    ),
    NimImage("nvcr.io/nim/nvidia/nemotron-3-nano-pb6", "2.0.4-pb6.0", "Nemotron 3 Nano, production branch"),
    NimImage("nvcr.io/nim/nvidia/model-free-nim-pb6", "2.0.4-pb6.0", "Any model, production branch"),
    NimImage("nvcr.io/nim/nvidia/llm-nim", "1.15.0", "Any model, NIM 1.x"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """The release line of a NIM."""

    major: int
    """1 or 2; later ones count as 2."""
    known: bool = True
    """False when the tag does not tell, so that 2 is assumed."""

    @property
    def takes_arguments(self) -> bool:
        """2.x hands arguments to the engine inside; 1.x has variables only."""
        return self.major >= 2


def line_of(tag: str) -> Line:
    """The line by the tag: "1.8.3" is 1.x, "2.0.4-pb6.0" is 2.x, "latest" and digests do not tell."""
    version = _version(tag)
    if version is None:
        return Line(2, known=False)
    return Line(1 if version[0] <= 1 else 2)


def is_of_nvidia(image: str) -> bool:
    """True for images of NVIDIA's registry, which an NGC key pulls."""
    return image.partition("/")[0] == REGISTRY


def is_model_free(image: str) -> bool:
    """True for the images that serve any model, and have to be told which."""
    name = image.rsplit("/", 1)[-1]
    return name == "llm-nim" or name.startswith("model-free-nim")


def may_be_keyless(image: str, tag: str) -> bool:
    """Whether such an image can exist without a key: a mirror elsewhere, or a feature branch from 2.0.10 on.

    Production branches (`-pb`), private images and gated models always need one.
    """
    if not is_of_nvidia(image):
        return True
    version = _version(tag)
    if "-pb" in image.rsplit("/", 1)[-1] or "-pb" in tag:
        return False
    return version is None or version >= KEYLESS_SINCE


def newest_tag(image: str) -> str:
    """The newest tag known of an image; empty when the image is not known."""
    return next((known.tag for known in KNOWN if known.image == image), "")


def image_of(source: ModelSource) -> str:
    """The image that an NGC source names, without its tag; empty for other sources.

    The registry may be left out, as NVIDIA's catalogue does: "meta/llama-3.1-8b-instruct".
    """
    if source.kind is not SourceKind.NGC:
        return ""
    image = _without_tag(source.reference.strip().strip("/"))
    host, slash, _rest = image.partition("/")
    if slash and ("." in host or ":" in host):
        return image
    return f"{REGISTRY}/{image}" if host == "nim" else f"{REGISTRY}/nim/{image}"


def resolve(spec: DeploymentSpec, source: ModelSource) -> DeploymentSpec:
    """The spec with the image of a NIM that names none; anything else as it is.

    The image stays empty when the model has no NGC source either.
    """
    if spec.engine.kind is not Engine.NIM or spec.engine.image:
        return spec
    return replace(spec, engine=replace(spec.engine, image=image_of(source)))


def _version(tag: str) -> tuple[int, int, int] | None:
    match = re.match(r"v?(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?(?![\d])", tag, re.ASCII)
    if match is None or tag.startswith("sha256:"):
        return None
    return int(match[1]), int(match[2] or 0), int(match[3] or 0)


def _without_tag(reference: str) -> str:
    """A colon before the last slash is a registry's port."""
    reference = reference.partition("@")[0]
    before, colon, after = reference.rpartition(":")
    return before if colon and "/" not in after else reference
