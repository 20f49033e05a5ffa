"""manage.py render: the Kubernetes objects of a document, as one YAML stream."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from deployments import document
from deployments.context import ClusterOffers, Exposure, ModelSource, RenderContext
from deployments.document import InvalidDocument
from deployments.manifests import EngineNotOffered, render
from deployments.manifests.scaling import ScalingNotOffered
from deployments.scaling import NO_PROMETHEUS
from deployments.vocabulary import Routing, SourceKind, UseCase

SOURCES = {word.value: word for word in SourceKind}
USE_CASES = {word.value: word for word in UseCase}
ROUTINGS = {word.value: word for word in Routing}
DYNAMO_VERSIONS = ("v1beta1", "v1alpha1")
#: Stands for a key that a document cannot hold; the Secrets with it are not printed.
STAND_IN = "an NGC key"


class Command(BaseCommand):
    help = (
        "Read a ModelDeployment document and print its Kubernetes objects. Needs no database and no cluster: what "
        "the catalogue and the endpoint would say comes from the options. A secret variable is printed as a "
        "reference to its Secret; the Secret itself is left out, because a document holds no secret values. Exits "
        "with 2 and one line per problem when the document is invalid."
    )
    # Checks would ask for a database.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the document; - reads standard input")
        parser.add_argument("--source", choices=SOURCES, default="hugging-face", help="where the weights are")
        parser.add_argument("--reference", help="repository, bucket URL or claim; default: spec.model")
        parser.add_argument("--revision", default="", help="commit or tag of the repository")
        parser.add_argument("--use-case", choices=USE_CASES, default="chat")
        parser.add_argument("--namespace", default="default")
        parser.add_argument("--host", default="", help="host name of the endpoint")
        parser.add_argument("--routing", choices=ROUTINGS, default="service")
        parser.add_argument("--gateway", default="", metavar="NAMESPACE/NAME", help="for --routing gateway")
        parser.add_argument("--ingress-class", default="", help="for --routing ingress")
        parser.add_argument("--storage-class", help="default: the cluster's own default")
        parser.add_argument("--pull-secret", default="", help="a registry secret in the namespace already")
        parser.add_argument(
            "--ngc-key", action="store_true", help="there is an NGC key: refer to its Secrets"
        )
        parser.add_argument(
            "--dynamo", choices=DYNAMO_VERSIONS, default="v1beta1", help="served DynamoGraphDeployment"
        )
        parser.add_argument(
            "--prometheus", default="", metavar="URL", help="where KEDA asks for the engine's figures"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            spec = document.read(_read(options["file"]))
            context = _context(options, spec.model)
            made = render(spec, context)
            objects = [object for object in made if object["kind"] != "Secret"]
        except InvalidDocument as invalid:
            self._refuse(f"{problem.path}: {problem.message}" for problem in invalid.problems)
        except ScalingNotOffered as reason:
            told = str(reason)
            if told == NO_PROMETHEUS:
                told = "The metric comes from Prometheus. Say with --prometheus where it is."
            self._refuse([f"spec.autoscaling.metric: {told}"])
        except EngineNotOffered as reason:
            self._refuse([f"spec.engine.kind: {reason}"])
        else:
            self.stdout.write(
                yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True, explicit_start=True)
            )

    def _refuse(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stderr.write(line)
        sys.exit(2)


def _context(options: dict[str, Any], model: str) -> RenderContext:
    gateway_namespace, _, gateway_name = options["gateway"].rpartition("/")
    return RenderContext(
        namespace=options["namespace"],
        source=ModelSource(
            reference=options["reference"] or model,
            kind=SOURCES[options["source"]],
            revision=options["revision"],
            use_case=USE_CASES[options["use_case"]],
        ),
        exposure=Exposure(
            hostname=options["host"],
            routing=ROUTINGS[options["routing"]],
            gateway_name=gateway_name,
            gateway_namespace=gateway_namespace,
            ingress_class=options["ingress_class"],
        ),
        storage_class=options["storage_class"],
        pull_secret=options["pull_secret"],
        ngc_key=STAND_IN if options["ngc_key"] else None,
        offers=ClusterOffers(dynamo_versions=(options["dynamo"],), prometheus_url=options["prometheus"]),
    )


def _read(name: str) -> bytes:
    """The document, and no more of a larger one than it takes to refuse it."""
    most = document.LARGEST_DOCUMENT + 1
    try:
        if name == "-":
            return sys.stdin.buffer.read(most)
        with Path(name).open("rb") as file:
            return file.read(most)
    except OSError as problem:
        raise CommandError(f"{name} cannot be read: {problem.strerror}") from None
