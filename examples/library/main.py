"""Two libraries that keep deposited texts, with the troubles that other people's services have.

Their shelves are kept in memory, so this runs as one Pod (``--max 1``); a real one has a database. A deposit that is
repeated is the same deposit, so the function is idempotent.
"""

LIMIT = 500_000
"""Characters that the library of London has room for."""

shelves = {"oxford": set(), "london": set()}
closed = {"oxford": 2}
"""For how many more requests a library is closed."""


def handle(event):
    library, title = event["library"], event.get("title")
    shelf = shelves[library]
    match event["action"]:
        case "deposit":
            if closed.get(library, 0) > 0:
                closed[library] -= 1
                raise ConnectionError(f"the library of {library} is closed, come back later")
            shelf.add(title)
        case "confirm" if library == "london" and event["length"] > LIMIT:
            raise ValueError(f"{title} has {event['length']} characters, london takes {LIMIT}")
        case "withdraw":
            shelf.discard(title)
    return {"library": library, "texts": sorted(shelf)}
