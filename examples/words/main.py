"""The most frequent words of a text. The body is the text itself, or a JSON string, as workflows send one."""

import json
import re
from collections import Counter

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def handle(text: str, context):
    if context.headers.get("content-type") == "application/json":
        text = json.loads(text)
    words = WORD.findall(text.lower())
    counts = Counter(words)
    return {"words": len(words), "different": len(counts), "top": counts.most_common(10)}
