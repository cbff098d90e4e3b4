"""Ollama's own client, and LangChain's and LlamaIndex's classes for it."""

import ollama
from langchain_ollama import OllamaEmbeddings
from llama_index.embeddings.ollama import OllamaEmbedding

from checks import KEY, URL, check, done, expect

MODEL = "lectern-embed-en"
HEADERS = {"Authorization": f"Bearer {KEY}"}
TEXTS = ["The sun is a star.", "Returns take 30 days."]
CLIENT = ollama.Client(host=URL, headers=HEADERS)


def lists() -> None:
    names = [model.model for model in CLIENT.list().models]
    expect(f"{MODEL}:latest" in names, names)


def embeds() -> None:
    both = CLIENT.embed(model=MODEL, input=TEXTS)
    expect(len(both.embeddings) == 2 and both.total_duration is not None, both)
    one = CLIENT.embed(model=f"{MODEL}:latest", input=TEXTS[0], truncate=True, keep_alive="5m", dimensions=64)
    expect(len(one.embeddings[0]) == 64, one)
    expect(list(CLIENT.embeddings(model=MODEL, prompt=TEXTS[1]).embedding) == list(both.embeddings[1]))


def is_told_what_is_wrong() -> None:
    try:
        CLIENT.embed(model="no-such-model", input="x")
    except ollama.ResponseError as error:
        expect(error.status_code == 404 and "no-such-model" in error.error, error)
    else:
        raise AssertionError("an unknown model was embedded with")
    try:
        ollama.Client(host=URL).embed(model=MODEL, input="x")
    except ollama.ResponseError as error:
        expect(error.status_code == 401 and "API key" in error.error, error)
        return
    raise AssertionError("a request without a key was answered")


def langchain() -> None:
    embeddings = OllamaEmbeddings(
        model=MODEL, base_url=URL, client_kwargs={"headers": HEADERS}, validate_model_on_init=True
    )
    expect(len(embeddings.embed_documents(TEXTS)) == 2)
    expect(len(embeddings.embed_query("a question")) > 0)


def llama_index() -> None:
    embedding = OllamaEmbedding(model_name=MODEL, base_url=URL, client_kwargs={"headers": HEADERS})
    expect(len(embedding.get_text_embedding_batch(TEXTS)) == 2)


for step in (lists, embeds, is_told_what_is_wrong, langchain, llama_index):
    check(step.__name__, step)
done()
