"""The profiles in a NIM's manifest: which there are, and which fits the GPUs that a container sees.

A profile is called `<backend>-<precision>-tp<N>-pp1`; its id is 64 hexadecimal digits and the same for the same
image and name. The tensor parallel size must be the number of visible GPUs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_PARALLEL = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to run the model; `product` is the GPU that it was built for, empty for any."""

    name: str
    id: str
    tensor: int
    product: str = ""
    quantization: str = ""

    def fits(self, gpus: int, product: str) -> bool:
        """Whether it runs on so many GPUs of this product."""
        return self.tensor == gpus and self.product.lower() in product.lower()

    @property
    def shown(self) -> str:
        """As `list-model-profiles` prints it."""
        return f"{self.id} ({self.name})"


def profiles_of(image_path: str, major: int) -> list[Profile]:
    """The manifest of an image, the preferred profiles first. 1.x has engines built for one GPU product as well."""
    made = []
    for tensor in _PARALLEL:
        if major == 1:
            made.append(
                _profile(image_path, f"tensorrt_llm-h100-fp8-tp{tensor}-pp1-throughput", tensor, "H100")
            )
        made.append(_profile(image_path, f"vllm-bf16-tp{tensor}-pp1", tensor))
        made.append(_profile(image_path, f"vllm-fp8-tp{tensor}-pp1", tensor))
    return made


def find(profiles: list[Profile], wanted: str) -> Profile | None:
    """A profile by its id or its name."""
    return next((each for each in profiles if wanted in (each.id, each.name)), None)


def _profile(image_path: str, name: str, tensor: int, product: str = "") -> Profile:
    digest = hashlib.sha256(f"{image_path}/{name}".encode()).hexdigest()
    return Profile(name, digest, tensor, product, "fp8" if "-fp8-" in name else "")
