"""An ASGI application: the time zones of a country and the time there.

``GET /zones/CH`` lists the zones of a country, ``GET /time/Europe/Zurich`` tells the time in one.
"""

import datetime
import json
import pathlib
import zoneinfo

TABLE = pathlib.Path(__file__).with_name("zone1970.tab")


def read_zones():
    zones = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            countries, _coordinates, zone, *_comment = line.split("\t")
            for country in countries.split(","):
                zones.setdefault(country, []).append(zone)
    return zones


ZONES = read_zones()


def answer(path):
    match path.strip("/").split("/", 1):
        case ["zones", country] if country.upper() in ZONES:
            return 200, {"country": country.upper(), "zones": ZONES[country.upper()]}
        case ["time", zone] if any(zone in zones for zones in ZONES.values()):
            now = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
            return 200, {"zone": zone, "time": now.isoformat(timespec="seconds")}
    return 404, {"error": f"nothing at {path}: try /zones/CH or /time/Europe/Zurich"}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    status, body = answer(scope["path"])
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
