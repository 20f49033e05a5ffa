"""The memory of a replica, checked against sums done by hand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deployments.context import SizingFacts
from deployments.engines.arguments import Parallelism
from deployments.engines.memory import (
    DEFAULT_SHARE,
    context_length,
    estimate,
    kv_bytes_per_token,
    loading_memory,
    memory_share,
)
from deployments.quantity import GIBI, KIBI
from deployments.spec import (
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Gpu,
    NimSpec,
    Resources,
    Variable,
)
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine
from tests.deployments.preflight.cases import LLAMA_8B, QWEN_32B, SPEC, arguments


def gpus(count: int, *given: str) -> DeploymentSpec:
    return replace(arguments(*given), resources=Resources(gpu=Gpu(count=count)))


def test_the_weights_are_parameters_times_their_size() -> None:
    memory = estimate(SPEC, QWEN_32B, 80 * GIBI)
    assert memory is not None
    assert memory.terms[0].size == memory.weights == 32_800_000_000
    assert memory.terms[0].working == "32.8 B parameters × 1 byte"


def test_weights_are_divided_over_the_gpus_of_one_copy() -> None:
    whole, split = estimate(SPEC, QWEN_32B, None), estimate(gpus(4), QWEN_32B, None)
    copies = estimate(gpus(4, "-dp", "4"), QWEN_32B, None)
    assert whole
    assert split
    assert copies
    assert split.weights == whole.weights / 4
    assert split.terms[0].working.endswith("÷ 4 GPUs")
    assert copies.weights == whole.weights


def test_small_parameters_are_shown_as_parts_of_a_byte() -> None:
    memory = estimate(SPEC, replace(QWEN_32B, bits_per_parameter=4), None)
    assert memory
    assert memory.weights == 16_400_000_000
    assert memory.terms[0].working == "32.8 B parameters × 0.5 bytes"


@pytest.mark.parametrize(
    ("sizing", "split", "given", "per_token"),
    [
        (QWEN_32B, Parallelism(1), (), 256 * KIBI),  # 2 × 64 layers × 8 heads × 128 × 2 bytes
        (LLAMA_8B, Parallelism(1), (), 128 * KIBI),  # 2 × 32 layers × 8 heads × 128 × 2 bytes
        (LLAMA_8B, Parallelism(1), ("--kv-cache-dtype", "fp8_e4m3"), 64 * KIBI),
        (LLAMA_8B, Parallelism(4), (), 32 * KIBI),
        (LLAMA_8B, Parallelism(16), (), 16 * KIBI),  # eight heads on sixteen GPUs: each holds one
        (LLAMA_8B, Parallelism(1, 2), (), 64 * KIBI),
    ],
)
def test_a_token_takes_a_key_and_a_value_per_head_and_layer(
    sizing: SizingFacts, split: Parallelism, given: tuple[str, ...], per_token: int
) -> None:
    assert kv_bytes_per_token(arguments(*given), sizing, split) == per_token


def test_the_sum_counts_one_request_of_full_length() -> None:
    memory = estimate(arguments("--max-model-len", "32768"), QWEN_32B, 80 * GIBI)
    assert memory
    cache = next(term for term in memory.terms if term.name == "KV cache")
    assert cache.size == 8 * GIBI
    assert cache.working == "32,768 tokens × 256 KiB per token, one request of full length"
    assert memory.needed == sum(term.size for term in memory.terms)
    assert memory.available == 72 * GIBI
    assert memory.available_working == "90 % of 80 GiB"
    assert memory.spare == memory.available - memory.needed
    rest = 72 * GIBI - (memory.needed - cache.size)
    assert memory.concurrent == rest // (8 * GIBI) == 4


def test_requests_at_once_are_those_of_all_copies() -> None:
    one, two = estimate(SPEC, LLAMA_8B, 80 * GIBI), estimate(gpus(2, "-dp", "2"), LLAMA_8B, 80 * GIBI)
    assert one
    assert two
    assert one.concurrent
    assert two.concurrent
    assert two.concurrent >= 2 * (one.concurrent - 1)


def test_what_is_unknown_is_said() -> None:
    assert estimate(SPEC, SizingFacts(), 80 * GIBI) is None
    memory = estimate(SPEC, SizingFacts(parameters=10**9, bits_per_parameter=16), None)
    assert memory
    assert memory.missing == ("layers, KV heads and head size", "context length")
    assert (memory.available, memory.spare, memory.concurrent) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "tokens"),
    [((), 131_072), (("--max-model-len", "8K"), 8192), (("--max-model-len", "auto"), 131_072)],
)
def test_the_context_is_what_is_asked_for_or_the_models_own(given: tuple[str, ...], tokens: int) -> None:
    assert context_length(arguments(*given), LLAMA_8B) == tokens


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ((), "0.9"),
        (("--gpu-memory-utilization=0.95",), "0.95"),
        *(((f"--gpu-memory-utilization={x}",), "0.9") for x in ("2", "0", "nan", "x", "-1")),
    ],
)
def test_the_share_of_gpu_memory_is_read_or_the_usual_one(given: tuple[str, ...], share: str) -> None:
    assert memory_share(arguments(*given)) == Decimal(share)


def test_without_cuda_graphs_less_is_needed() -> None:
    usual, eager = estimate(SPEC, LLAMA_8B, None), estimate(arguments("--enforce-eager"), LLAMA_8B, None)
    assert usual
    assert eager
    assert eager.needed < usual.needed


def test_loading_needs_a_file_and_shared_memory_for_each_gpu() -> None:
    one = Resources(memory_limit="48Gi", gpu=Gpu(count=1))
    assert loading_memory(one, 16_000_000_000) == (3 + 5 + 2) * GIBI
    assert loading_memory(one, GIBI) == (3 + 1 + 2) * GIBI
    assert loading_memory(replace(one, gpu=Gpu(count=4)), 10**12) == (12 + 20 + 8) * GIBI


def nim(**changes: Any) -> DeploymentSpec:
    return replace(SPEC, engine=EngineSpec(Engine.NIM, "i", "2.0.3", nim=NimSpec()), **changes)


def dynamo(backend: DynamoBackend, *arguments: str) -> DeploymentSpec:
    own = DynamoSpec(DynamoMode.DISAGGREGATED, backend)
    return replace(SPEC, engine=EngineSpec(Engine.DYNAMO, "i", "1.4.0", arguments=arguments, dynamo=own))


def test_vllm_assumes_nothing_and_other_engines_say_what_they_assume() -> None:
    def assumed(spec: DeploymentSpec) -> str:
        found = estimate(spec, LLAMA_8B, 80 * GIBI)
        assert found
        return " ".join(found.assumptions)

    assert assumed(SPEC) == ""
    assert "Reckoned as for vLLM. The profile that NIM chooses" in assumed(nim())
    assert "SGLang divides GPU memory in another way." in assumed(dynamo(DynamoBackend.SGLANG))
    assert "each hold the whole model" in assumed(dynamo(DynamoBackend.VLLM))
    assert "Reckoned" not in assumed(dynamo(DynamoBackend.VLLM))


def test_a_nim_is_told_its_context_and_share_by_variables() -> None:
    told = nim(environment=(Variable("NIM_MAX_MODEL_LEN", "4096"), Variable("NIM_GPU_MEM_FRACTION", "0.5")))
    assert context_length(told, LLAMA_8B) == 4096
    assert memory_share(told) == Decimal("0.5")
    vllm = replace(SPEC, environment=told.environment)
    assert context_length(vllm, LLAMA_8B) == LLAMA_8B.context_length
    assert memory_share(vllm) == DEFAULT_SHARE


@pytest.mark.parametrize(
    ("backend", "flag", "share"),
    [
        (DynamoBackend.VLLM, "--max-model-len", "--gpu-memory-utilization"),
        (DynamoBackend.SGLANG, "--context-length", "--mem-fraction-static"),
        (DynamoBackend.TRTLLM, "--max-seq-len", "--free-gpu-memory-fraction"),
    ],
)
def test_each_backend_has_its_own_flags(backend: DynamoBackend, flag: str, share: str) -> None:
    spec = dynamo(backend, flag, "2048", share, "0.7")
    assert context_length(spec, LLAMA_8B) == 2048
    assert memory_share(spec) == Decimal("0.7")


def test_the_gpus_of_a_role_divide_the_weights() -> None:
    spec = dynamo(DynamoBackend.SGLANG, "--pipeline-parallel-size", "2")
    found = estimate(spec, LLAMA_8B, 80 * GIBI, gpus=4)
    assert found
    assert found.weights == -(-(LLAMA_8B.weights_bytes or 0) // 4)
