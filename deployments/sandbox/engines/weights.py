"""What the sandbox knows of models: size, shape and task, by name.

A few well-known models have their real figures. Any other name is read for its size ("…-13b-…") and gets the
shape that models of that size usually have, so that the memory arithmetic of a made-up model is still believable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

GENERATE, EMBED, RERANK = "generate", "embed", "score"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Parameters, layout of the attention, and the longest context in tokens."""

    parameters: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context: int
    architecture: str = "LlamaForCausalLM"
    task: str = GENERATE
    bits: int = 16

    @property
    def weight_bytes(self) -> int:
        """Size of the weights in memory."""
        return self.parameters * self.bits // 8

    @property
    def kv_bytes_per_token(self) -> int:
        """Size of one token in the KV cache, over all layers, in 16-bit numbers."""
        return 2 * self.layers * self.kv_heads * self.head_size * 2


_M, _B = 10**6, 10**9
_OPT = "OPTForCausalLM"
_QWEN2, _QWEN3 = "Qwen2ForCausalLM", "Qwen3ForCausalLM"
_KNOWN = {
    "opt-125m": ModelFacts(125 * _M, 12, 12, 12, 64, 2_048, _OPT),
    "opt-350m": ModelFacts(331 * _M, 24, 16, 16, 64, 2_048, _OPT),
    "opt-1.3b": ModelFacts(1_316 * _M, 24, 32, 32, 64, 2_048, _OPT),
    "llama-3.2-1b": ModelFacts(1_236 * _M, 16, 32, 8, 64, 131_072),
    "llama-3.2-3b": ModelFacts(3_213 * _M, 28, 24, 8, 128, 131_072),
    "llama-3.1-8b": ModelFacts(8_030 * _M, 32, 32, 8, 128, 131_072),
    "llama-3-8b": ModelFacts(8_030 * _M, 32, 32, 8, 128, 8_192),
    "llama-3.1-70b": ModelFacts(70_554 * _M, 80, 64, 8, 128, 131_072),
    "llama-3.3-70b": ModelFacts(70_554 * _M, 80, 64, 8, 128, 131_072),
    "llama-3.1-405b": ModelFacts(405_853 * _M, 126, 128, 8, 128, 131_072),
    "qwen2.5-0.5b": ModelFacts(494 * _M, 24, 14, 2, 64, 32_768, _QWEN2),
    "qwen2.5-1.5b": ModelFacts(1_544 * _M, 28, 12, 2, 128, 32_768, _QWEN2),
    "qwen2.5-7b": ModelFacts(7_616 * _M, 28, 28, 4, 128, 32_768, _QWEN2),
    "qwen2.5-32b": ModelFacts(32_764 * _M, 64, 40, 8, 128, 32_768, _QWEN2),
    "qwen2.5-72b": ModelFacts(72_706 * _M, 80, 64, 8, 128, 32_768, _QWEN2),
    "qwen3-0.6b": ModelFacts(752 * _M, 28, 16, 8, 128, 40_960, _QWEN3),
    "qwen3-8b": ModelFacts(8_191 * _M, 36, 32, 8, 128, 40_960, _QWEN3),
    "qwen3-32b": ModelFacts(32_762 * _M, 64, 64, 8, 128, 40_960, _QWEN3),
    "mistral-7b": ModelFacts(7_248 * _M, 32, 32, 8, 128, 32_768, "MistralForCausalLM"),
    "mixtral-8x7b": ModelFacts(46_703 * _M, 32, 32, 8, 128, 32_768, "MixtralForCausalLM"),
    "gemma-2-9b": ModelFacts(9_242 * _M, 42, 16, 8, 256, 8_192, "Gemma2ForCausalLM"),
    "gpt-oss-20b": ModelFacts(20_915 * _M, 24, 64, 8, 64, 131_072, "GptOssForCausalLM", bits=5),
    "gpt-oss-120b": ModelFacts(116_829 * _M, 36, 64, 8, 64, 131_072, "GptOssForCausalLM", bits=5),
    "bge-m3": ModelFacts(568 * _M, 24, 16, 16, 64, 8_192, "XLMRobertaModel", EMBED),
    "bge-reranker": ModelFacts(
        568 * _M, 24, 16, 16, 64, 8_192, "XLMRobertaForSequenceClassification", RERANK
    ),
    "all-minilm-l6": ModelFacts(22 * _M, 6, 12, 12, 32, 512, "BertModel", EMBED),
}
# Up to so many parameters: layers, heads, KV heads, head size.
_SHAPES = (
    (200 * _M, (12, 12, 12, 64)),
    (1 * _B, (24, 16, 8, 64)),
    (4 * _B, (28, 24, 8, 128)),
    (10 * _B, (32, 32, 8, 128)),
    (40 * _B, (64, 40, 8, 128)),
    (100 * _B, (80, 64, 8, 128)),
    (10_000 * _B, (126, 128, 8, 128)),
)
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])")
_EMBEDS = re.compile(r"embed|bge|(?<![a-z])e5(?![a-z])|(?<![a-z])gte(?![a-z])|minilm")
_RERANKS = re.compile(r"rerank")
_BITS = ((re.compile(r"awq|gptq|int4|4bit|nvfp4|mxfp4"), 5), (re.compile(r"fp8|int8|8bit"), 8))


def model_facts(reference: str, quantization: str = "") -> ModelFacts:
    """The facts of a model by its repository id or path; `quantization` is the engine's option of that name."""
    name = reference.rstrip("/").rsplit("/", 1)[-1].lower()
    known = [key for key in _KNOWN if name.startswith(key) or f"-{key}" in name]
    facts = _KNOWN[max(known, key=len)] if known else _guess(name)
    for pattern, bits in _BITS:
        if pattern.search(name) or pattern.search(quantization.lower()):
            return replace(facts, bits=min(bits, facts.bits))
    return facts


def _guess(name: str) -> ModelFacts:
    task = RERANK if _RERANKS.search(name) else EMBED if _EMBEDS.search(name) else GENERATE
    match = _SIZE.search(name)
    parameters = (7 * _B) if task == GENERATE else 335 * _M
    if match:
        experts, number, unit = match.groups()
        size = int(float(number) * (_B if unit == "b" else _M))
        parameters = min(max(size * int(experts or 1), _M), 5_000 * _B)
    layers, heads, kv_heads, head_size = next(shape for limit, shape in _SHAPES if parameters <= limit)
    context = 131_072 if task == GENERATE else 512
    return ModelFacts(parameters, layers, heads, kv_heads, head_size, context, task=task)
