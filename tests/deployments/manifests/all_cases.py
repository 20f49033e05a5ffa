"""The cases of every engine, by the name of their golden file."""

from tests.deployments.manifests import cases, dynamo_cases, nim_cases

CASES = {**cases.CASES, **nim_cases.CASES, **dynamo_cases.CASES}
