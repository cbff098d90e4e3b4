"""Cohere's own client, both versions of its API."""

import cohere

from checks import KEY, URL, check, done, expect

DOCUMENTS = ["The sun is a star.", "Returns take 30 days."]
QUERY = "How long does a return take?"


def second_version() -> None:
    client = cohere.ClientV2(api_key=KEY, base_url=URL)
    answer = client.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS, top_n=1)
    expect(answer.results[0].index == 1, answer)
    expect(answer.id is not None)


def first_version() -> None:
    client = cohere.Client(api_key=KEY, base_url=URL)
    answer = client.rerank(model="rerank-english-v3.0", query=QUERY, documents=DOCUMENTS, return_documents=True)
    expect(answer.results[0].document is not None and "30 days" in answer.results[0].document.text, answer)
    structured = client.rerank(
        model="rerank-english-v3.0",
        query=QUERY,
        documents=[{"title": "Sky", "text": DOCUMENTS[0]}, {"title": "Returns", "text": DOCUMENTS[1]}],
        rank_fields=["title", "text"],
    )
    expect(structured.results[0].index == 1, structured)


for step in (second_version, first_version):
    check(step.__name__, step)
done()
