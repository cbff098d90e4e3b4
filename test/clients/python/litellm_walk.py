"""LiteLLM: it writes every option that was not given as null."""

import os

import litellm
import openai

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


def searches_what_is_there() -> None:
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY)
    store = litellm.vector_stores.create(name="with files", custom_llm_provider="openai", **GATE)
    texts = {"refunds.md": "A refund takes ten days.", "holidays.md": "Holidays are planned in spring."}
    for name, text in texts.items():
        client.vector_stores.files.upload_and_poll(
            vector_store_id=store["id"], file=(name, text.encode()), attributes={"name": name}
        )
    asked = {"vector_store_id": store["id"], "query": "how long does a refund take", "custom_llm_provider": "openai"}
    found = litellm.vector_stores.search(**asked, **GATE)
    expect(found["data"][0]["filename"] == "refunds.md", found)
    expect(found["data"][0]["content"][0]["text"] == "A refund takes ten days.", found)
    expect(found["data"][0]["score"] > found["data"][1]["score"], found)
    kept = {"type": "eq", "key": "name", "value": "holidays.md"}
    found = litellm.vector_stores.search(**asked, filters=kept, max_num_results=1, **GATE)
    expect([hit["filename"] for hit in found["data"]] == ["holidays.md"], found)


def searches_as_pg_vector() -> None:
    store = litellm.vector_stores.create(name="for pg_vector", custom_llm_provider="openai", **GATE)
    found = litellm.vector_stores.search(
        vector_store_id=store["id"], query="anything", custom_llm_provider="pg_vector", api_base=URL, api_key=KEY
    )
    expect(found["data"] == [], found)


def refuses_another_key() -> None:
    try:
        litellm.vector_stores.create(
            name="not mine", custom_llm_provider="openai", api_base=f"{URL}/v1", api_key="sk-nobody-0123456789"
        )
    except litellm.AuthenticationError:
        return
    except Exception as error:
        expect("Incorrect API key" in str(error), error)
        return
    raise AssertionError("a store was made")


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


def reranks_as_vllm() -> None:
    answer = litellm.rerank(
        model="hosted_vllm/lectern-rank",
        query="How long does a return take?",
        documents=["The sun is a star.", "Returns take 30 days."],
        **GATE,
    )
    expect([one["index"] for one in answer.results] == [1, 0], answer)


def embeds_as_others() -> None:
    expected = litellm.embedding(model="openai/lectern-embed-en", input=["a cat"], **GATE).data[0]["embedding"]
    ollama = litellm.embedding(model="ollama/lectern-embed-en", input=["a cat"], api_base=URL, api_key=KEY)
    expect(ollama.data[0]["embedding"] == expected, "ollama")


STEPS = (
    embeds,
    stores,
    searches_what_is_there,
    searches_as_pg_vector,
    refuses_another_key,
    reranks,
    reranks_as_vllm,
    embeds_as_others,
)
for step in STEPS:
    check(step.__name__, step)
done()
