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


def embeds() -> None:
    asked = {"model": "embed-english-v3.0", "texts": DOCUMENTS, "input_type": "search_document"}
    second = cohere.ClientV2(api_key=KEY, base_url=URL).embed(**asked, embedding_types=["float"])
    expect(second.embeddings.float_ is not None and len(second.embeddings.float_) == 2, second)
    first = cohere.Client(api_key=KEY, base_url=URL).embed(**asked)
    expect(first.embeddings == second.embeddings.float_, first)
    query = cohere.Client(api_key=KEY, base_url=URL).embed(
        model="embed-english-v3.0", texts=[QUERY], input_type="search_query", embedding_types=["float"]
    )
    expect(len(query.embeddings.float_[0]) == len(second.embeddings.float_[0]), query)


def is_told_what_is_wrong() -> None:
    try:
        cohere.ClientV2(api_key=KEY, base_url=URL).embed(
            model="no-such-model", texts=DOCUMENTS, input_type="search_document", embedding_types=["float"]
        )
    except cohere.errors.NotFoundError as error:
        expect("no-such-model" in error.body["message"], error)
        return
    raise AssertionError("an unknown model was embedded with")


for step in (second_version, first_version, embeds, is_told_what_is_wrong):
    check(step.__name__, step)
done()
