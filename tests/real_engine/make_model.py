"""Makes a tiny Llama with random weights and a tokenizer: `python make_model.py FOLDER`, by the engine's own Python.

It talks nonsense, always the same nonsense, and a real engine serves it as it would any other model. The tokenizer is
trained on the source of Python's standard library, the one long text that is on every machine.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SEED, VOCABULARY, CONTEXT = 20_261_126, 2048, 4096
BEGIN, END = "<|begin|>", "<|end|>"
#: Each message as a line with its role, then the beginning of the answer.
TEMPLATE = (
    "{% for message in messages %}<|begin|>{{ message.role }}\n{{ message.content }}<|end|>{% endfor %}"
    "<|begin|>assistant\n"
)


def make(folder: Path) -> None:
    tokenizer = _tokenizer()
    torch.manual_seed(SEED)
    config = LlamaConfig(
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        vocab_size=VOCABULARY,
        bos_token_id=tokenizer.convert_tokens_to_ids(BEGIN),
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    text = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    learnt = ByteLevelBPETokenizer()
    learnt.train([str(file) for file in text], vocab_size=VOCABULARY, special_tokens=[BEGIN, END])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=learnt._tokenizer, bos_token=BEGIN, eos_token=END)
    wrapped.chat_template = TEMPLATE
    return wrapped


if __name__ == "__main__":
    make(Path(sys.argv[1]))
