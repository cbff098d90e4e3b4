"""make_model.py FILE: a llama of a few random weights whose words are bytes. What it says means nothing; how, is real."""

import sys

import gguf
import numpy as np

WIDTH, HIDDEN, LAYERS, HEADS, CONTEXT = 64, 128, 2, 4, 8192
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = "the refunds are paid within fourteen days goods receipt and [1] [2]".split() + [f"w{n}" for n in range(120)]
SPECIAL = ["<unk>", "<s>", "</s>"]
TOKENS = SPECIAL + BYTES + [f"▁{word}" for word in WORDS]
KIND = gguf.TokenType
KINDS = [KIND.UNKNOWN, KIND.CONTROL, KIND.CONTROL] + [KIND.BYTE] * len(BYTES) + [KIND.NORMAL] * len(WORDS)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


def main(path: str) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in TOKENS])
    writer.add_token_scores([-float(at) for at in range(len(TOKENS))])
    writer.add_token_types(KINDS)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)

    chance = np.random.default_rng(7)

    def some(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.3).astype(np.float32)

    writer.add_tensor("token_embd.weight", some(len(TOKENS), WIDTH))
    for block in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{block}.{norm}.weight", np.ones(WIDTH, dtype=np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{block}.{part}.weight", some(WIDTH, WIDTH))
        for part in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"blk.{block}.{part}.weight", some(HIDDEN, WIDTH))
        writer.add_tensor(f"blk.{block}.ffn_down.weight", some(WIDTH, HIDDEN))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
    # Bytes, and the end, are seldom said: what comes out is words, and long.
    output = some(len(TOKENS), WIDTH)
    output[: len(SPECIAL) + len(BYTES)] *= 0.01
    writer.add_tensor("output.weight", output)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(sys.argv[1])
