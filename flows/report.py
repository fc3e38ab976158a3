"""`groundswell report`: the radar of one moment as one page, to send to someone."""

from pathlib import Path
from typing import Any

import msgspec

from flows.errors import UserError
from flows.plain import plain
from flows.serve import opened
from flows.settings import load


def report(to: Path, store: Path | None, limit: int) -> int:
    """Write the page. Raises `UserError` or `OSError`."""
    from api.page import report as page
    from api.reader import StoreError

    if not to.parent.is_dir():
        raise UserError(f"{to}: the folder {to.parent} does not exist")
    if store is not None and not store.exists():
        raise UserError(f"{store}: there is no such store; replay --store writes one")
    if store is not None and to.resolve() == store.resolve():
        raise UserError(f"{to}: is the store itself")
    try:
        data, shown, all_of_them = _data(store, limit)
    except StoreError as error:
        raise UserError(plain(str(error))) from None
    to.write_bytes(page(data))
    left_out = f" of {all_of_them:,}, --limit shows more" if all_of_them > shown else ""
    print(f"{to}: {shown:,} trends{left_out} ({to.stat().st_size / 1e6:.1f} MB)")
    return 0


def _data(store: Path | None, limit: int) -> tuple[bytes, int, int]:
    """What the page shows, how many trends, and how many there are."""
    from api.items import Filter
    from api.radar import Radar
    from api.whole import detail_of

    reader, options = opened(store, load())
    radar = Radar(reader, options)
    try:
        look = radar.board.look(telling=False)
        if look is not None:
            radar.board.take(look)
        items, _ = radar.board.page(Filter(), "rising", None, limit)
        details: dict[str, Any] = {}
        for item in items:
            whole = reader.whole(item.trend_id)
            if whole is not None:
                details[item.trend_id] = msgspec.Raw(detail_of(radar, whole))
        found = {
            "items": [msgspec.Raw(item.brief) for item in items],
            "overview": msgspec.Raw(radar.overview()),
            "details": details,
        }
        return msgspec.json.encode(found), len(items), len(radar.board.items)
    finally:
        radar.close()
