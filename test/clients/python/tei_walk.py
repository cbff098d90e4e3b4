"""Clients of text-embeddings-inference: Hugging Face's own, and LlamaIndex's class."""

from huggingface_hub import InferenceClient
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

from checks import KEY, URL, check, done, expect

TEXTS = ["The sun is a star.", "Returns take 30 days."]


def hugging_face() -> None:
    client = InferenceClient(base_url=URL, api_key=KEY)
    one = client.feature_extraction(TEXTS[0], normalize=True, truncate=True)
    expect(one.shape[0] == 1 and one.shape[1] > 0, one.shape)


def llama_index() -> None:
    embedding = TextEmbeddingsInference(model_name="lectern-embed-en", base_url=URL, auth_token=KEY)
    expect(len(embedding.get_text_embedding_batch(TEXTS)) == 2)
    expect(len(embedding.get_query_embedding("How long does a return take?")) > 0)


for step in (hugging_face, llama_index):
    check(step.__name__, step)
done()
