"""LlamaIndex: embeddings of an OpenAI-like server, and an index over them."""

from llama_index.core import Document, VectorStoreIndex
from llama_index.embeddings.openai_like import OpenAILikeEmbedding

from checks import KEY, URL, check, done, expect

model = OpenAILikeEmbedding(model_name="text-embedding-3-small", api_base=f"{URL}/v1", api_key=KEY, embed_batch_size=10)


def texts() -> None:
    vectors = model.get_text_embedding_batch([f"text number {i}" for i in range(25)])
    expect(len(vectors) == 25)


def retrieves() -> None:
    documents = [Document(text="Returns take 30 days."), Document(text="The sun is a star.")]
    index = VectorStoreIndex.from_documents(documents, embed_model=model)
    found = index.as_retriever(similarity_top_k=1).retrieve("How long does a return take?")
    expect("30 days" in found[0].get_content())


for step in (texts, retrieves):
    check(step.__name__, step)
done()
