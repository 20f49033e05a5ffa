"""Forms of the catalogue: providers and models."""

from typing import Any

from django import forms
from django.utils import timezone

from console.presentation.widgets import ChoiceCards
from deployments.models import CatalogModel, Provider
from deployments.short_names import ShortNameField
from deployments.vocabulary import SourceKind, UseCase

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
    """A model of the catalogue. The token for gated weights is write-only: empty keeps the stored one."""

    slug = ShortNameField(
        help_text="Used in addresses and documents: lower-case letters, digits and hyphens."
    )
    weights_token = forms.CharField(
        label="Token for gated weights",
        required=False,
        max_length=4096,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text="Handed to the engine as HF_TOKEN from a Kubernetes secret.",
    )
    forget_token = forms.BooleanField(label="Remove the stored token", required=False)

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
        if not self.instance.weights_token:
            del self.fields["forget_token"]

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

    def save(self, commit: bool = True) -> CatalogModel:
        model: CatalogModel = super().save(commit=False)
        if self.cleaned_data.get("forget_token"):
            model.weights_token, model.weights_token_set_at = "", None  # type: ignore[assignment]
        if token := self.cleaned_data["weights_token"]:
            model.weights_token, model.weights_token_set_at = token, timezone.now()  # type: ignore[assignment]
        if commit:
            model.save()
        return model
