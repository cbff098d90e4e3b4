"""The vocabulary: the commonest words whole, and pieces (byte-pair merges) for the rest."""
import heapq
from collections import Counter, defaultdict

from text import PAD, UNK


def build(counts, whole, merges, min_count=5):
    """counts: word -> how often. Returns the token list; [PAD] is 0 and [UNK] is 1.

    Punctuation is left out on purpose: it becomes [UNK], whose vector is zero.
    """
    kept = {w: c for w, c in counts.items() if any(ch.isalnum() for ch in w) and len(w) <= 40}
    common = [w for w, c in sorted(kept.items(), key=lambda x: (-x[1], x[0])) if c >= min_count][:whole]
    chars = Counter()
    for w, c in kept.items():
        for ch in w:
            chars[ch] += c
    singles = sorted(ch for ch, c in chars.items() if c >= 20)
    tokens = dict.fromkeys([PAD, UNK] + singles + ["##" + ch for ch in singles] + common)
    taken = set(common)
    rest = {w: c for w, c in kept.items() if w not in taken and c >= 2 and w.isascii()}
    tokens.update(dict.fromkeys(_merge(rest, merges)))
    return list(tokens)


def _merge(counts, wanted):
    """Byte-pair merges over words; pieces inside a word carry ##."""
    split = [([w[0]] + ["##" + ch for ch in w[1:]], c) for w, c in sorted(counts.items())]
    pairs, where = Counter(), defaultdict(set)
    for i, (parts, c) in enumerate(split):
        for pair in zip(parts, parts[1:]):
            pairs[pair] += c
            where[pair].add(i)
    heap = [(-c, p) for p, c in pairs.items()]
    heapq.heapify(heap)
    out = []
    while heap and len(out) < wanted:
        count, pair = heapq.heappop(heap)
        if pairs.get(pair) != -count:
            if pairs.get(pair, 0) > 0:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        joined = pair[0] + pair[1][2:]
        out.append(joined)
        touched = set()
        for i in where.pop(pair):
            parts, c = split[i]
            for old in zip(parts, parts[1:]):
                pairs[old] -= c
                touched.add(old)
            new, j = [], 0
            while j < len(parts):
                if j + 1 < len(parts) and (parts[j], parts[j + 1]) == pair:
                    new.append(joined)
                    j += 2
                else:
                    new.append(parts[j])
                    j += 1
            split[i] = (new, c)
            for fresh in zip(new, new[1:]):
                pairs[fresh] += c
                where[fresh].add(i)
                touched.add(fresh)
        pairs[pair] = 0
        for p in touched:
            if pairs[p] > 0:
                heapq.heappush(heap, (-pairs[p], p))
    return out
