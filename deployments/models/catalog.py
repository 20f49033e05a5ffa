"""Providers and the models they publish."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from console.encryption import EncryptedTextField
from deployments.context import ModelSource, SizingFacts
from deployments.models.visibility import PlatformManager
from deployments.vocabulary import SourceKind, UseCase


class Provider(models.Model):
    """Who publishes a model."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100, unique=True)
    website = models.URLField(max_length=300, blank=True)

    objects = PlatformManager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


def fact(most: int, **options: Any) -> models.BigIntegerField:
    """An optional positive whole number."""
    limits = [MinValueValidator(1), MaxValueValidator(most)]
    return models.BigIntegerField(null=True, blank=True, validators=limits, **options)


class CatalogModel(models.Model):
    """A configured model: what can be deployed, and where its weights come from."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="models")
    use_case = models.CharField(max_length=20, choices=UseCase.choices(), default=UseCase.CHAT)
    description = models.TextField(max_length=1000, blank=True)

    source_kind = models.CharField(
        max_length=20, choices=SourceKind.choices(), default=SourceKind.HUGGING_FACE
    )
    source_reference = models.CharField(max_length=300)
    source_revision = models.CharField(max_length=100, blank=True)
    weights_token = EncryptedTextField(blank=True, default="")
    weights_token_set_at = models.DateTimeField(null=True, blank=True)
    ngc_key = EncryptedTextField(blank=True, default="")
    """NVIDIA's key for this model; empty: the cluster's, if it has one."""
    ngc_key_set_at = models.DateTimeField(null=True, blank=True)

    parameters = fact(10**14)
    bits_per_parameter = fact(64)
    layers = fact(10_000)
    attention_heads = fact(10_000)
    kv_heads = fact(10_000)
    head_size = fact(100_000)
    context_length = fact(100_000_000)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PlatformManager()

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def sizing(self) -> SizingFacts:
        return SizingFacts(
            parameters=self.parameters,
            bits_per_parameter=self.bits_per_parameter,
            layers=self.layers,
            attention_heads=self.attention_heads,
            kv_heads=self.kv_heads,
            head_size=self.head_size,
            context_length=self.context_length,
        )

    @property
    def source(self) -> ModelSource:
        return ModelSource(
            reference=self.source_reference,
            kind=SourceKind(self.source_kind),
            revision=self.source_revision,
            use_case=UseCase(self.use_case),
            sizing=self.sizing,
        )
