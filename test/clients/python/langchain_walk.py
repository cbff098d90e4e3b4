"""LangChain: embeddings and a reranker."""

from langchain_cohere import CohereRerank
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

from checks import KEY, URL, check, done, expect

# Without the option the client fetches a vocabulary from the internet and sends tokens (openai_walk.py sends some).
OPTIONS = {"base_url": f"{URL}/v1", "api_key": KEY, "check_embedding_ctx_length": False}
embeddings = OpenAIEmbeddings(model="text-embedding-3-small", **OPTIONS)


def documents() -> None:
    vectors = embeddings.embed_documents(["the first text", "the second text"])
    expect(len(vectors) == 2 and len(vectors[0]) == len(vectors[1]))


def long_text() -> None:
    expect(len(embeddings.embed_query("a word and another " * 1200)) > 0)


def sized() -> None:
    other = OpenAIEmbeddings(model="text-embedding-3-large", dimensions=1536, **OPTIONS)
    expect(len(other.embed_query("hello")) == 1536)


def retrieves() -> None:
    store = InMemoryVectorStore.from_texts(["Returns take 30 days.", "The sun is a star."], embeddings)
    expect("30 days" in store.similarity_search("How long does a return take?", k=1)[0].page_content)


def reranks() -> None:
    ranker = CohereRerank(model="rerank-v3.5", cohere_api_key=KEY, base_url=URL, top_n=1)
    texts = ["The sun is a star.", "Returns take 30 days."]
    ranked = ranker.compress_documents([Document(page_content=text) for text in texts], "How long does a return take?")
    expect("30 days" in ranked[0].page_content, ranked)


for step in (documents, long_text, sized, retrieves, reranks):
    check(step.__name__, step)
done()
