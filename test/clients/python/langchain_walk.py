"""LangChain: embeddings (it sends tokens, and an empty text for an empty document) and a reranker."""

from langchain_cohere import CohereRerank
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

from checks import KEY, URL, check, done, expect

embeddings = OpenAIEmbeddings(model="text-embedding-3-small", base_url=f"{URL}/v1", api_key=KEY)


def documents() -> None:
    vectors = embeddings.embed_documents(["the first text", "the second text"])
    expect(len(vectors) == 2 and len(vectors[0]) == len(vectors[1]))


def long_text() -> None:
    expect(len(embeddings.embed_query("a word and another " * 1200)) > 0)


def empty_text() -> None:
    expect(len(embeddings.embed_documents(["", "not empty"])) == 2)


def sized() -> None:
    other = OpenAIEmbeddings(model="text-embedding-3-large", base_url=f"{URL}/v1", api_key=KEY, dimensions=1536)
    expect(len(other.embed_query("hello")) == 1536)


def retrieves() -> None:
    store = InMemoryVectorStore.from_texts(["Returns take 30 days.", "The sun is a star."], embeddings)
    expect("30 days" in store.similarity_search("How long does a return take?", k=1)[0].page_content)


def reranks() -> None:
    ranker = CohereRerank(model="rerank-v3.5", cohere_api_key=KEY, base_url=URL, top_n=1)
    texts = ["The sun is a star.", "Returns take 30 days."]
    ranked = ranker.compress_documents([Document(page_content=text) for text in texts], "How long does a return take?")
    expect("30 days" in ranked[0].page_content, ranked)


for step in (documents, long_text, empty_text, sized, retrieves, reranks):
    check(step.__name__, step)
done()
