"""Resources: what each replica gets, with the GPUs that the endpoint's cluster really has."""

from __future__ import annotations

from console.presentation.widgets import ChoiceCards
from deployments.facts import ClusterFacts
from deployments.quantity import show_bytes
from deployments.spec import GPU_RESOURCE
from deployments.vocabulary import Engine
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, text_input
from deployments.wizard.text import fit


class ResourcesForm(SectionForm):
    step = steps.RESOURCES
    paths = {
        "gpu_product": "gpu.product",
        "gpu_count": "gpu.count",
        "gpu_resource": "gpu.resource",
        "cpu_request": "requests.cpu",
        "cpu_limit": "limits.cpu",
        "memory_request": "requests.memory",
        "memory_limit": "limits.memory",
    }

    gpu_product = Typed(label="GPU model", widget=ChoiceCards)
    gpu_count = Typed(
        label="GPUs per replica",
        widget=text_input(inputmode="numeric"),
    )
    gpu_resource = Typed(
        label="GPU resource",
        help_text=f"As nodes offer it: {GPU_RESOURCE}, or a slice such as nvidia.com/mig-4g.71gb.",
        widget=text_input(),
    )
    cpu_request = Typed(label="CPU request", help_text="Cores, such as 4 or 500m.", widget=text_input())
    cpu_limit = Typed(label="CPU limit", required=False, help_text="Empty: no limit.", widget=text_input())
    memory_request = Typed(
        label="Memory request", help_text="With its unit, such as 24Gi.", widget=text_input()
    )
    memory_limit = Typed(
        label="Memory limit", required=False, help_text="Empty: the same as the request.", widget=text_input()
    )

    def prepare(self) -> None:
        self._say_what_of()
        widget = self.fields["gpu_product"].widget
        assert isinstance(widget, ChoiceCards)
        products = free_and_total(self.work.facts)
        widget.choices = [("", "Any"), *((product, short(product)) for product in products)]
        widget.facts = {product: facts for product, (_, facts) in products.items()}
        widget.facts[""] = [any_product(self.work.facts)]
        widget.tags = {product: memory for product, (memory, _) in products.items() if memory}
        chosen = fit(str(self["gpu_product"].value() or ""))
        if chosen and chosen not in products:
            where = self.work.endpoint.cluster.name if self.work.endpoint else "this cluster"
            widget.choices = [*widget.choices, (chosen, short(chosen))]
            widget.facts[chosen] = [f"Not seen on {where}"]

    def _say_what_of(self) -> None:
        """What the numbers count for depends on the engine."""
        engine = self.work.engine
        self.fields["gpu_count"].help_text = _RULES[engine]
        if engine is Engine.DYNAMO:
            self.fields["gpu_count"].label = "GPUs per worker"

    @property
    def lede(self) -> str:
        """For whom CPU and memory are; empty where every pod is a replica."""
        if self.work.engine is not Engine.DYNAMO:
            return ""
        return "Of each worker. Dynamo's frontend takes no GPU and brings its own small amounts."


_RULES = {
    Engine.VLLM: "Also sets the tensor parallel size, unless an argument says otherwise.",
    Engine.NIM: "Has to be as many as NIM's profile is made for.",
    Engine.DYNAMO: "The model is split over them. Roles may have others, on the Engine page.",
}


def free_and_total(facts: ClusterFacts | None) -> dict[str, tuple[str, list[str]]]:
    """GPU product to its memory and the lines of its card, in the order of their names."""
    found: dict[str, tuple[str, list[str]]] = {}
    for product in sorted({node.product for node in facts.gpu_nodes if node.product} if facts else set()):
        nodes = [node for node in facts.gpu_nodes if node.product == product] if facts else []
        sizes = {node.memory_bytes for node in nodes if node.memory_bytes}
        memory = show_bytes(max(sizes)) if sizes else ""
        free = sum(node.free for node in nodes if node.ready)
        found[product] = (memory, [f"{free} of {sum(node.total for node in nodes)} free"])
    return found


def any_product(facts: ClusterFacts | None) -> str:
    if facts is None:
        return "The scheduler chooses; this cluster's GPUs are not known yet"
    free = sum(node.free for node in facts.gpu_nodes if node.ready)
    return f"{free} of {sum(node.total for node in facts.gpu_nodes)} free; the scheduler chooses"


def short(product: str) -> str:
    """ "NVIDIA-H100-80GB-HBM3" as people say it: "H100 80GB HBM3"."""
    return product.removeprefix("NVIDIA-").replace("-", " ")
