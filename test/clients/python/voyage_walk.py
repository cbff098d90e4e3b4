"""Voyage's own client: embeddings and reranking."""

import voyageai

from checks import KEY, URL, check, done, expect

client = voyageai.Client(api_key=KEY, base_url=f"{URL}/v1", max_retries=0)


def embeds() -> None:
    answer = client.embed(["a cat", "a dog"], model="voyage-3-large", input_type="document")
    expect(len(answer.embeddings) == 2 and answer.total_tokens > 0)
    expect(len(client.embed(["a cat"], model="voyage-3-large", input_type="query", truncation=True).embeddings) == 1)


def reranks() -> None:
    documents = ["The sun is a star.", "Returns take 30 days."]
    answer = client.rerank("How long does a return take?", documents, model="rerank-2.5", top_k=1)
    expect(answer.results[0].index == 1, answer.results)
    expect(answer.results[0].document == documents[1])


for step in (embeds, reranks):
    check(step.__name__, step)
done()
