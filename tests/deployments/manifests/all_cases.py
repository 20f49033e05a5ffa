"""The cases of every engine, by the name of their golden file."""

from tests.deployments.manifests import cases, dynamo_cases, keda_cases, nim_cases

CASES = {
    **{f"vllm-{name}": case for name, case in cases.CASES.items()},
    **nim_cases.CASES,
    **dynamo_cases.CASES,
    **keda_cases.CASES,
}
