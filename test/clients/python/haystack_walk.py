"""Haystack: embedders of a query and of documents."""

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import Secret

from checks import KEY, URL, check, done, expect

OPTIONS = {"api_key": Secret.from_token(KEY), "api_base_url": f"{URL}/v1", "model": "text-embedding-3-small"}


def retrieves() -> None:
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    documents = [Document(content="Returns take 30 days."), Document(content="The sun is a star.")]
    store.write_documents(OpenAIDocumentEmbedder(**OPTIONS).run(documents)["documents"])
    query = OpenAITextEmbedder(**OPTIONS).run("How long does a return take?")["embedding"]
    found = InMemoryEmbeddingRetriever(store).run(query_embedding=query, top_k=1)["documents"]
    expect("30 days" in found[0].content)


check("retrieves", retrieves)
done()
