"""The model folder in Hugging Face layout: tokenizer, configuration, ONNX graph."""
import json
import os

import graph
from text import MAX_WORD, PAD, UNK

MAX_TOKENS = 8192
WINDOW_TOKENS = 128  # a longer text is read in windows of this many; the graph itself takes MAX_TOKENS


def _json(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2, separators=(",", ":") if name == "tokenizer.json" else None)
        f.write("\n")


def tokenizer(vocab):
    special = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, t in enumerate((PAD, UNK))]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": "(?<=[a-z])(?=[A-Z])"}, "content": " "},
            {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True, "lowercase": True},
        ]},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": UNK, "continuing_subword_prefix": "##", "max_input_chars_per_word": MAX_WORD, "vocab": {t: i for i, t in enumerate(vocab)}},
    }


def save(folder, vocab, table):
    """table: float [V, D], rows 0 and 1 (padding, unknown) zero. Returns the table as read back."""
    int8, scale = graph.quantise(table)
    dim = table.shape[1]
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    graph.write(os.path.join(folder, "onnx", "model.onnx"), int8, scale)
    _json(folder, "tokenizer.json", tokenizer(vocab))
    _json(folder, "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS, "do_lower_case": True,
        "pad_token": PAD, "unk_token": UNK, "clean_up_tokenization_spaces": True})
    _json(folder, "config.json", {
        "model_type": "lectern-static", "architectures": ["StaticEmbedding"], "hidden_size": dim,
        "vocab_size": len(vocab), "max_position_embeddings": MAX_TOKENS, "pad_token_id": 0, "unk_token_id": 1,
        "matryoshka_dimensions": [d for d in (64, 128, 256) if d < dim] + [dim]})
    _json(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    _json(folder, "1_Pooling/config.json", {
        "word_embedding_dimension": dim, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    _json(folder, "sentence_bert_config.json", {"max_seq_length": WINDOW_TOKENS, "do_lower_case": False})
    _json(folder, "config_sentence_transformers.json", {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"})
    return int8 * scale
