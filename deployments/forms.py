"""Forms of the catalogue: providers and models."""

from typing import Any

from django import forms

from console.presentation.widgets import ChoiceCards
from deployments.models import CatalogModel, Provider
from deployments.short_names import ShortNameField
from deployments.vocabulary import SourceKind, UseCase
from deployments.write_only import READ_AT_START, KeyChange, KeyField, removal, say_lost, store_key

_SOURCE_EXAMPLES = {
    SourceKind.HUGGING_FACE: ["facebook/opt-125m"],
    SourceKind.NGC: ["nvcr.io/nim/meta/llama-3.1-8b-instruct"],
    SourceKind.OBJECT_STORAGE: ["s3://bucket/path"],
    SourceKind.VOLUME: ["claim-name/path"],
}


class ProviderForm(forms.ModelForm):
    """A provider; its slug comes from its name."""

    website = forms.URLField(required=False, max_length=300, assume_scheme="https")

    class Meta:
        model = Provider
        fields = ["name", "slug", "website"]
        help_texts = {"slug": "In addresses: lower-case letters, digits and hyphens."}


class CatalogModelForm(forms.ModelForm):
    """A model of the catalogue. Its token and its NGC key are write-only: an empty field keeps the stored one."""

    slug = ShortNameField(
        help_text="Used in addresses and documents: lower-case letters, digits and hyphens."
    )
    weights_token = KeyField(
        label="Token for gated weights",
        help_text=f"Handed to the engine as HF_TOKEN from a Kubernetes secret. {READ_AT_START}",
    )
    forget_token = removal("Remove the stored token")
    ngc_key = KeyField(
        label="NGC key",
        help_text=(
            "Pulls NVIDIA's images and lets NIM fetch weights. Without one, that of the cluster is used. "
            f"{READ_AT_START}"
        ),
    )
    forget_ngc_key = removal("Remove the stored NGC key")

    class Meta:
        model = CatalogModel
        fields = [
            "name",
            "slug",
            "provider",
            "use_case",
            "description",
            "source_kind",
            "source_reference",
            "source_revision",
            "parameters",
            "bits_per_parameter",
            "layers",
            "attention_heads",
            "kv_heads",
            "head_size",
            "context_length",
        ]
        labels = {
            "source_kind": "Where the weights are",
            "source_reference": "Reference",
            "source_revision": "Revision",
            "bits_per_parameter": "Bits per parameter",
            "kv_heads": "KV heads",
        }
        help_texts = {
            "source_revision": "A commit or tag. Without one, replicas may differ after an upstream change.",
            "parameters": "In total, such as 8030000000.",
            "bits_per_parameter": "16 for BF16, 8 for FP8, 4 for AWQ or GPTQ.",
            "context_length": "Prompt and answer together, in tokens.",
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "use_case": forms.Select(choices=UseCase.choices()),
            "source_kind": ChoiceCards(
                choices=SourceKind.choices(),
                facts={kind.value: facts for kind, facts in _SOURCE_EXAMPLES.items()},
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("source_kind", SourceKind.choices()), ("use_case", UseCase.choices())):
            self.fields[name].choices = choices  # type: ignore[attr-defined]
        self.fields["provider"].empty_label = "Choose a provider"  # type: ignore[attr-defined]
        self.key_change = KeyChange.NONE
        """Set by save(): deployments have to get another key or token, or none."""
        if not self.instance.weights_token:
            del self.fields["forget_token"]
        if not self.instance.ngc_key:
            del self.fields["forget_ngc_key"]

    def clean_source_reference(self) -> str:
        reference: str = self.cleaned_data["source_reference"].strip()
        kind = self.data.get(self.add_prefix("source_kind"))
        if kind == SourceKind.HUGGING_FACE and (reference.count("/") != 1 or "://" in reference):
            raise forms.ValidationError(
                f"“{reference}” is not a repository. Write it like facebook/opt-125m."
            )
        if kind == SourceKind.OBJECT_STORAGE and not reference.startswith(("s3://", "gs://")):
            raise forms.ValidationError(f"“{reference}” is not a bucket. Write it like s3://bucket/path.")
        if any(character.isspace() for character in reference) or reference.startswith("-"):
            raise forms.ValidationError("A reference has no spaces and does not start with a hyphen.")
        return reference

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        say_lost(self, "weights_token", "ngc_key")
        return cleaned

    def save(self, commit: bool = True) -> CatalogModel:
        model: CatalogModel = super().save(commit=False)
        for column, box in (("weights_token", "forget_token"), ("ngc_key", "forget_ngc_key")):
            removed = bool(self.cleaned_data.get(box))
            found = store_key(model, column, self.cleaned_data[column], remove=removed)
            self.key_change = max(self.key_change, found, key=list(KeyChange).index)
        if commit:
            model.save()
        return model
