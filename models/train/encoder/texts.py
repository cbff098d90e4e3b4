"""Stage 1: texts in many languages out of Debian packages, one JSON object a line: {"lang", "text", "en", "src"}.

"en" is the English original where the package is a translation whose paragraphs carry names: help pages of LibreOffice
(ids of paragraphs) and the messages of Firefox (keys). Manual pages have none. English itself comes from the pairs.
"""
import argparse
import glob
import gzip
import html
import json
import os
import random
import re
import zipfile

LEAST, MOST = 12, 2000
HELP_PARAGRAPH = re.compile(r'<(p|h[1-6]) id="([^"]+)"[^>]*>(.*?)</\1>', re.S)
TAG = re.compile(r"<[^>]+>")
MESSAGE = re.compile(r"^([a-zA-Z0-9_-]+) =(.*)$|^    \.([a-z-]+) = (.*)$|^    ([^\s.{}\[\]*].*)$")


def plain(markup):
    return " ".join(html.unescape(TAG.sub("", markup)).split())


def help_pages(folder):
    """{(page, paragraph): text} of one LibreOffice help package."""
    out = {}
    for path in glob.glob(folder + "/usr/share/libreoffice/help/*/text/**/*.html", recursive=True):
        page = path.split("/text/", 1)[1]
        with open(path, encoding="utf-8", errors="replace") as f:
            for _, name, body in HELP_PARAGRAPH.findall(f.read()):
                text = plain(body)
                if LEAST <= len(text) <= MOST and not name.startswith("bm_"):
                    out[page, name] = text
    return out


def messages(folder):
    """{(file, key): text} of one Firefox language pack."""
    out = {}
    for path in glob.glob(folder + "/**/*.xpi", recursive=True):
        with zipfile.ZipFile(path) as pack:
            for name in pack.namelist():
                if name.endswith(".ftl"):
                    read_messages(re.sub(r"(localization)/[^/]+/", r"\1/", name), pack.read(name).decode("utf-8", "replace"), out)
    return {k: v for k, v in out.items() if LEAST <= len(v) <= MOST and "{" not in v}


def read_messages(file, content, out):
    key = attribute = None
    for line in content.split("\n"):
        found = MESSAGE.match(line)
        if found is None:
            key = attribute = None if not line.startswith(" ") else key
        elif found[1]:
            key, attribute = found[1], None
            out[file, key] = plain(found[2])
        elif found[3]:
            attribute = found[3]
            out[file, key, attribute] = plain(found[4])
        elif key is not None:
            at = (file, key) if attribute is None else (file, key, attribute)
            out[at] = (out.get(at, "") + " " + plain(found[5])).strip()


def manual_paragraphs(path):
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as f:
        lines = [line for line in f.read().split("\n") if not line.startswith((".\\\"", "'\\\"", ".TH", ".so"))]
    text = "\n".join("" if re.match(r"\.(SH|SS|PP|P|TP|IP|LP|sp|HP|nf|fi)\b", line) else re.sub(r"^\.(BR?|IR?|RB|RI|BI|IB|SM|SB|Nm|Fl|Ar) ", "", line) for line in lines if not re.match(r"\.(br|RS|RE|ad|nh|in|ft|if|ie|el|de|ds|nr|\.)", line))
    text = re.sub(r"\\f(\[.*?\]|\(..|.)|\\[&,/|^]|\\s[-+]?\d", "", text)
    text = re.sub(r"\\\(?-", "-", text).replace("\\(bu", "").replace("\\e", "\\").replace("\\~", " ").replace("\\ ", " ")
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = " ".join(paragraph.replace('"', " ").split())
        if 60 <= len(paragraph) <= MOST and "\\*" not in paragraph:
            yield paragraph


def reference_paragraphs(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        for body in re.findall(r"<p>(.*?)</p>", f.read(), re.S):
            text = plain(body)
            if 60 <= len(text) <= MOST:
                yield text


def language(name, kind):
    return name[len(kind):].split("-")[0]


def read(root):
    """Yields every text of the unpacked packages below root."""
    for kind, load in (("libreoffice-help-", help_pages), ("firefox-esr-l10n-", messages)):
        english = load(os.path.join(root, kind + ("en-us" if kind.startswith("lib") else "en-gb")))
        for folder in sorted(glob.glob(os.path.join(root, kind + "*"))):
            name = os.path.basename(folder)
            lang = language(name, kind)
            for key, text in sorted(load(folder).items()) if lang != "en" else []:
                original = english.get(key)
                if original != text:
                    yield {"lang": lang, "text": text, "en": original, "src": kind[:-1]}
    for folder in sorted(glob.glob(os.path.join(root, "manpages-*"))):
        lang = language(os.path.basename(folder), "manpages-")
        for path in sorted(glob.glob(folder + "/usr/share/man/" + lang + "*/man*/*.gz")):
            for text in manual_paragraphs(path):
                yield {"lang": lang, "text": text, "en": None, "src": "manpages"}
    for folder in sorted(glob.glob(os.path.join(root, "debian-reference-*"))):
        lang = language(os.path.basename(folder), "debian-reference-")
        for path in sorted(glob.glob(folder + "/usr/share/debian-reference/*.html")):
            for text in reference_paragraphs(path):
                yield {"lang": lang, "text": text, "en": None, "src": "debian-reference"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packages", required=True, help="folder of unpacked Debian packages, one folder each, by their names")
    parser.add_argument("--out", required=True)
    o = parser.parse_args()
    seen, counts = set(), {}
    rows = []
    for row in read(o.packages):
        if row["text"] not in seen:
            seen.add(row["text"])
            rows.append(row)
            counts[row["lang"]] = counts.get(row["lang"], 0) + len(row["text"])
    random.Random(1).shuffle(rows)
    with open(o.out, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(len(rows), "texts, thousand characters by language:", {k: v // 1000 for k, v in sorted(counts.items(), key=lambda x: -x[1])})


if __name__ == "__main__":
    main()
