"""A report in Markdown about how often words stand in a text, with a bar for each of them."""

WIDTH = 40


def handle(event):
    counts = event["counts"]
    most = counts["top"][0][1]
    rows = [f"| {word} | {count} | {'#' * round(WIDTH * count / most)} |" for word, count in counts["top"]]
    return "\n".join(
        [
            f"# {event['title']}",
            "",
            f"{counts['words']} words, {counts['different']} different ones. The most frequent:",
            "",
            "| word | times | |",
            "| --- | ---: | --- |",
            *rows,
        ]
    )
