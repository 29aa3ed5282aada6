"""The most frequent words of a text. The body is the text itself, whatever its content type."""

import re
from collections import Counter

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def handle(text: str):
    words = WORD.findall(text.lower())
    counts = Counter(words)
    return {"words": len(words), "different": len(counts), "top": counts.most_common(10)}
