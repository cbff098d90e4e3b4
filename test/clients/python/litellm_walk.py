"""LiteLLM: it writes every option that was not given as null."""

import os

import litellm

from checks import KEY, URL, check, done, expect

os.environ["OPENAI_API_KEY"] = KEY
os.environ["OPENAI_API_BASE"] = f"{URL}/v1"
GATE = {"api_base": f"{URL}/v1", "api_key": KEY}


def embeds() -> None:
    answer = litellm.embedding(model="openai/text-embedding-3-small", input=["a cat", "a dog"], **GATE)
    expect(len(answer.data) == 2)


def stores() -> None:
    store = litellm.vector_stores.create(name="from a gateway", custom_llm_provider="openai", **GATE)
    found = litellm.vector_stores.search(
        vector_store_id=store["id"], query="anything", custom_llm_provider="openai", **GATE
    )
    expect(found["data"] == [], found)


def reranks() -> None:
    answer = litellm.rerank(
        model="cohere/rerank-english-v3.0",
        query="How long does a return take?",
        documents=["The sun is a star.", "Returns take 30 days."],
        top_n=1,
        api_base=URL,
        api_key=KEY,
    )
    expect(answer.results[0]["index"] == 1, answer)


for step in (embeds, stores, reranks):
    check(step.__name__, step)
done()
