"""Which text answers a question, by LangChain's embeddings of an OpenAI-compatible server."""

import os

from langchain_openai import OpenAIEmbeddings

embeddings = OpenAIEmbeddings(
    model="lectern-embed-en",
    base_url=os.environ.get("LECTERN_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ["LECTERN_API_KEY"],
    check_embedding_ctx_length=False,
)

texts = ["Tides follow the moon.", "Bread needs flour, water, salt and time.", "Ropes are made of hemp."]
query = embeddings.embed_query("which grain is bread baked from")
scores = [sum(a * b for a, b in zip(vector, query)) for vector in embeddings.embed_documents(texts)]
best = scores.index(max(scores))
print(f"{scores[best]:.3f} {texts[best]}")
