"""Open WebUI's own document loader and reranker, out of its package; of the rest of it stands what these two ask for."""

import glob
import os
import sys
import tempfile
import types
import zipfile

from checks import KEY, URL, check, done, expect

WHEEL = sorted(glob.glob("wheels/open_webui-*.whl"))[-1]


def stub(name: str, **members: object) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def load(path: str) -> types.ModuleType:
    module = types.ModuleType(path)
    with zipfile.ZipFile(WHEEL) as wheel:
        exec(compile(wheel.read(path), path, "exec"), module.__dict__)
    return module


for package in ("open_webui", "open_webui.utils", "open_webui.retrieval", "open_webui.retrieval.models"):
    stub(package)
stub("open_webui.env", ENABLE_FORWARD_USER_INFO_HEADERS=False, REQUESTS_VERIFY=True)
stub(
    "open_webui.utils.headers",
    include_user_info_headers=lambda headers, user: headers,
    parse_custom_headers=lambda *given, **named: {},
)
stub("open_webui.retrieval.models.base_reranker", BaseReranker=object)
LOADER = load("open_webui/retrieval/loaders/external_document.py").ExternalDocumentLoader
RERANKER = load("open_webui/retrieval/models/external.py").ExternalReranker


def loader_for(name: str, content: bytes, key: str = KEY) -> object:
    path = os.path.join(tempfile.mkdtemp(), name)
    with open(path, "wb") as file:
        file.write(content)
    return LOADER(file_path=path, url=f"{URL}/openwebui/", api_key=key, mime_type="text/markdown", timeout=120)


def loads() -> None:
    [document] = loader_for("Prüfung 1.md", "# Prüfung\n\nThe text.".encode()).load()
    expect(document.page_content == "# Prüfung\n\nThe text.", document)
    expect(document.metadata == {"source": "Prüfung 1.md"}, document)


def is_told_what_is_wrong() -> None:
    for content, key, words in ((b" ", KEY, "No extractable text"), (b"x", "sk-nobody-0123456789", "401")):
        try:
            loader_for("x.md", content, key).load()
        except Exception as error:
            expect(words in str(error), error)
        else:
            raise AssertionError(f"{words}: was loaded")


def reranks() -> None:
    reranker = RERANKER(api_key=KEY, url=f"{URL}/v1/rerank", model="lectern-rank", timeout=60)
    query = "How long does a return take?"
    scores = reranker.predict([(query, "The sun is a star."), (query, "Returns take 30 days.")])
    expect(scores is not None and scores[1] > scores[0], scores)


for step in (loads, is_told_what_is_wrong, reranks):
    check(step.__name__, step)
done()
