"""Text to words to token ids, exactly as tokenizer.json says it.

Python twin of the tokenizer that ships: BertNormalizer (clean, lower, no
accents, CJK apart), a blank between aB, BertPreTokenizer, WordPiece.
"""
import re
import unicodedata

UNK, PAD = "[UNK]", "[PAD]"
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
PLAIN = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
MAX_WORD = 100


def _is_cjk(cp):
    return (0x4E00 <= cp <= 0x9FFF or 0x3400 <= cp <= 0x4DBF or 0xF900 <= cp <= 0xFAFF)


class _Fold(dict):
    """One lowered character -> what the normalizer and the splitter make of it."""

    def __missing__(self, cp):
        ch = chr(cp)
        cat = unicodedata.category(ch)
        if cp in (0, 0xFFFD) or (cat in ("Cc", "Cf", "Co", "Cs") and ch not in "\t\n\r"):
            out = ""
        elif ch.isspace():
            out = " "
        else:
            out = "".join(c for c in unicodedata.normalize("NFD", ch) if unicodedata.category(c) != "Mn")
            if _is_cjk(cp) or cat[0] == "P" or (cp < 128 and not ch.isalnum()):
                out = " " + out + " "
        self[cp] = out
        return out


_FOLD = _Fold()


def words(text):
    """Lower-case words and single punctuation marks of a text, in order."""
    text = CAMEL.sub(" ", text).lower()
    if text.isascii():
        if text.isprintable():
            return PLAIN.findall(text)
    return text.translate(_FOLD).split()


class WordPiece:
    """Greedy longest match from the left; a word that does not fit is one unknown token."""

    def __init__(self, vocab):
        self.ids = {token: i for i, token in enumerate(vocab)}
        self.unk = self.ids[UNK]
        self.longest = max(map(len, vocab))
        self.cache = {}

    def word(self, word):
        hit = self.cache.get(word)
        if hit is None:
            hit = self.cache[word] = self._split(word)
        return hit

    def _split(self, word):
        if len(word) > MAX_WORD:
            return [self.unk]
        out, start = [], 0
        while start < len(word):
            for end in range(min(len(word), start + self.longest), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                if piece in self.ids:
                    out.append(self.ids[piece])
                    start = end
                    break
            else:
                return [self.unk]
        return out

    def encode(self, text):
        return [i for w in words(text) for i in self.word(w)]
