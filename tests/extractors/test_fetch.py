"""What is fetched is media from hosts that are anybody's; all else costs itself alone."""

import asyncio
import contextlib
import gzip
import os
import shutil
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from extractors.fetching.addresses import networks
from extractors.fetching.cache import Cache
from extractors.fetching.errors import ERRORS, FetchError
from extractors.fetching.fetch import Fetched, Fetcher, Limits, local
from extractors.fetching.hosts import IN_A_ROW, Hosts
from tests.extractors.servers import Handler, Site, answer, here, says, serving
from tests.services.processes import missing

LIMITS = Limits(
    file_mb=1, seconds=20, stall_seconds=20, wait_seconds=2, private=networks("127.0.0.0/8")
)
CLIP = bytes(range(256)) * 40


def asked(
    handler: Handler,
    ask: Callable[[Site, Fetcher], Awaitable[None]],
    limits: Limits = LIMITS,
    cache: Cache | None = None,
) -> None:
    """Ask a server of the given kind."""

    async def run() -> None:
        async with (
            serving(handler) as site,
            Fetcher(limits, cache or Cache(None, 0), here) as fetcher,
        ):
            await ask(site, fetcher)

    asyncio.run(run())


def data(fetched: Fetched) -> bytes:
    with os.fdopen(fetched.file, "rb") as file:
        return file.read()


async def refused(fetcher: Fetcher, address: str) -> str:
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(address)
    assert caught.value.kind in ERRORS
    return caught.value.kind


def test_media_comes_as_it_is_and_the_host_is_asked_by_its_name() -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        found = await fetcher.fetch(site.url("/a.mp4"))
        assert data(found) == CLIP
        assert found.page is None
        assert f"Host: media.test:{site.port}\r\n".encode() in site.heads[0]

    asked(says(a_mp4=answer(CLIP)), ask)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.mp4",
        "http://[::1]/a.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://[::ffff:93.184.216.34]/",
        "http://[2002:5db8:d822::1]/",
        "http://[2001:0:5db8:d822::1]/",
        "http://[64:ff9b::5db8:d822]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://two.example/a.mp4",
    ],
)
def test_a_host_is_asked_only_if_all_its_addresses_are_public(address: str) -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, address) == "private"

    asked(says(), ask, replace(LIMITS, private=()))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("ftp://media.test/a", "address"),
        ("http:///a", "address"),
        ("javascript:1", "address"),
        ("http://" + "a" * 5000, "address"),
        ("http://nowhere.example/", "unresolved"),
        ("http://media.test:99999/", "address"),
        ("concat:/etc/passwd|/etc/hosts", "address"),
        ("", "address"),
    ],
)
def test_what_is_no_address_is_not_asked(address: str, kind: str) -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, address) == kind

    asked(says(), ask)


def test_each_redirect_is_looked_at_anew() -> None:
    def to(where: str) -> bytes:
        return answer(b"", "302 Found", f"Location: {where}")

    paths = {
        "inside": to("http://169.254.169.254/latest/meta-data/"),
        "file": to("file:///etc/passwd"),
        "round": to("/round"),
        "once": to("a.mp4"),
        "nowhere": answer(status="301 Moved"),
        "a_mp4": answer(CLIP),
    }

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/inside")) == "private"
        assert await refused(fetcher, site.url("/file")) == "address"
        assert await refused(fetcher, site.url("/nowhere")) == "redirects"
        site.asked.clear()
        assert await refused(fetcher, site.url("/round")) == "redirects"
        assert len(site.asked) == 6
        assert data(await fetcher.fetch(site.url("/once"))) == CLIP

    asked(says(**paths), ask)


def test_a_name_that_changes_its_address_leads_nowhere_else() -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    lookups: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        lookups.append(host)
        return next(answers)

    async def run() -> None:
        async with serving(says(a_mp4=answer(CLIP))) as site:
            fetcher = Fetcher(LIMITS, Cache(None, 0), rebinding)
            async with fetcher:
                assert data(await fetcher.fetch(site.url("/a.mp4"))) == CLIP
                assert lookups == ["media.test"]
                assert await refused(fetcher, site.url("/b.mp4")) == "private"

    asyncio.run(run())


def test_the_certificate_must_be_that_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl", "not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = (
        "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=test"
    )
    names = ["-addext", "subjectAltName=DNS:media.test"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *made.split(), *names, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    asked_for: list[str | None] = []
    tls.sni_callback = lambda _, name, __: asked_for.append(name)
    trusted = ssl.create_default_context(cafile=certificate)

    async def run() -> None:
        async with (
            serving(says(a_mp4=answer(CLIP)), tls) as site,
            Fetcher(LIMITS, Cache(None, 0), here, trusted) as fetcher,
        ):
            good = f"https://media.test:{site.port}/a.mp4"
            assert data(await fetcher.fetch(good)) == CLIP
            assert await refused(fetcher, good.replace("media.test", "other.test")) == "unreachable"
            assert await refused(fetcher, good.replace("media.test", "127.0.0.1")) == "unreachable"
            assert set(asked_for) == {"media.test", "other.test", None}

    asyncio.run(run())


def test_the_system_is_asked_for_names() -> None:
    async def run() -> None:
        limits = replace(LIMITS, private=networks("127.0.0.0/8, ::1"))
        async with (
            serving(says(a_mp4=answer(CLIP))) as site,
            Fetcher(limits, Cache(None, 0)) as fetcher,
        ):
            with contextlib.suppress(FetchError):  # where it is ::1 nobody listens
                assert data(await fetcher.fetch(site.url("/a.mp4", "localhost"))) == CLIP
            assert data(await fetcher.fetch(site.url("/a.mp4", "127.1"))) == CLIP

    asyncio.run(run())


async def endless(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()


async def stalled(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await asyncio.Event().wait()


async def trickling(path: str, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that it is never silent."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def headers_without_end(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def cut(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeginning")


async def garbage(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(os.urandom(4000))


@pytest.mark.parametrize(
    ("handler", "limits", "kind"),
    [
        (endless, LIMITS, "huge"),
        (stalled, replace(LIMITS, stall_seconds=0.1), "slow"),
        (trickling, replace(LIMITS, seconds=0.2), "slow"),
        (headers_without_end, LIMITS, "unreachable"),
        (cut, LIMITS, "unreachable"),
        (garbage, LIMITS, "unreachable"),
        (says(a_mp4=answer(b"x", length=5 << 30)), LIMITS, "huge"),
        (says(a_mp4=answer(b"", "206 Partial Content")), LIMITS, "refused"),
        (says(), LIMITS, "gone"),
        (
            says(a_mp4=answer(gzip.compress(bytes(64 << 20)), "200 OK", "Content-Encoding: gzip")),
            LIMITS,
            "huge",
        ),
        (
            says(a_mp4=answer(zlib.compress(CLIP)[:-9], "200 OK", "Content-Encoding: deflate")),
            LIMITS,
            "encoded",
        ),
        (says(a_mp4=answer(CLIP, "200 OK", "Content-Encoding: br")), LIMITS, "encoded"),
    ],
    ids="endless stalled trickling headers cut garbage lying partial gone bomb torn br".split(),
)
def test_a_server_of_the_bad_kind_has_its_reason(
    handler: Handler, limits: Limits, kind: str
) -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/a.mp4")) == kind

    before = len(os.listdir("/proc/self/fd"))
    asked(handler, ask, limits)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_compressed_within_the_limits_is_taken() -> None:
    body = gzip.compress(CLIP)
    handler = says(a_mp4=answer(body, "200 OK", "Content-Encoding: gzip"))

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert data(await fetcher.fetch(site.url("/a.mp4"))) == CLIP

    asked(handler, ask)


def test_a_host_that_asks_for_time_gets_it() -> None:
    times: list[float] = []

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        times.append(asyncio.get_running_loop().time())
        busy = answer(b"", "429 Too Many Requests", "Retry-After: 1")
        writer.write(busy if len(times) == 1 else answer(CLIP))

    async def ask(site: Site, fetcher: Fetcher) -> None:
        both = await asyncio.gather(
            *(fetcher.fetch(site.url(path)) for path in ("/a.mp4", "/b.mp4"))
        )
        assert [data(one) for one in both] == [CLIP, CLIP]
        assert times[1] - times[0] >= 1
        assert len(times) == 3

    asked(handler, ask, replace(LIMITS, per_host=1))


def test_a_host_that_asks_for_more_time_than_there_is_is_left_alone() -> None:
    busy = answer(b"", "503 Service Unavailable", "Retry-After: 3600")

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/a.mp4")) == "busy"
        assert await refused(fetcher, site.url("/a.mp4")) == "busy"
        assert site.asked == ["/a.mp4"]
        assert await refused(fetcher, site.url("/a.mp4", "other.test")) == "busy"
        assert len(site.asked) == 2

    asked(says(a_mp4=busy), ask)


def test_so_many_at_once_and_no_more_of_one_host() -> None:
    gate: list[asyncio.Event] = []

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        await gate[0].wait()
        writer.write(answer(CLIP))

    async def ask(site: Site, fetcher: Fetcher) -> None:
        gate.append(asyncio.Event())
        hosts = ["one.test"] * 6 + ["two.test"] * 6 + ["three.test"] * 6
        tasks = [
            asyncio.create_task(fetcher.fetch(site.url(f"/{i}.mp4", host)))
            for i, host in enumerate(hosts)
        ]
        while site.at_once < 5:
            await asyncio.sleep(0.01)
        for _ in range(20):
            await asyncio.sleep(0)
        asked = [head.split(b"Host: ")[1].split(b".")[0] for head in site.heads]
        assert max(asked.count(name) for name in (b"one", b"two", b"three")) <= 2
        gate[0].set()
        for fetched in await asyncio.gather(*tasks):
            os.close(fetched.file)
        assert site.most_at_once == 5

    asked(handler, ask, replace(LIMITS, at_once=5, per_host=2))


def test_a_dead_host_rests_and_others_are_asked() -> None:
    class Clock:
        now = 0.0

    hosts = Hosts(4, 4, 1.0, lambda: Clock.now)

    async def ask(name: str, kind: str) -> None:
        with contextlib.suppress(FetchError):
            async with hosts.asking(name):
                if kind:
                    raise FetchError(kind, "no")
                said.append(name)

    said: list[str] = []

    async def run() -> None:
        for _ in range(IN_A_ROW):
            await ask("dead", "slow")
            await ask("gone", "gone")
        for name in ("dead", "gone", "good"):
            await ask(name, "")
        assert said == ["gone", "good"]
        Clock.now = 61.0
        await ask("dead", "")
        assert said[-1] == "dead"

    asyncio.run(run())


PAGE = (
    b"""<html><head><title>nothing</title>
<meta property="og:video:type" content="video/mp4"><meta property="og:video" content="/clip.mp4">
<meta property="og:title" content="  Drop   it "><meta name="author" content="Ann">
</head><body>"""
    + b"<p>words</p>" * 1000
)


def page(html: bytes) -> bytes:
    return answer(html, kind="text/html; charset=utf-8")


def test_of_a_page_the_media_is_fetched_that_it_names() -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        found = await fetcher.fetch(site.url("/reel/1"))
        assert data(found) == CLIP
        assert found.page is not None
        assert (found.page.title, found.page.author) == ("Drop it", "Ann")
        assert found.page.media == site.url("/clip.mp4")

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(
            {"/reel/1": page(PAGE), "/clip.mp4": answer(CLIP)}.get(
                path, answer(status="404 Not Found")
            )
        )

    asked(handler, ask)


def test_a_page_that_only_its_oembed_explains() -> None:
    html = (
        b'<link rel="alternate" type="application/json+oembed" href="/oembed?url=1">'
        b'<video><source src="clip.mp4"></video>'
    )
    said = answer(b'{"title": "Drop", "author_name": "Ann"}', kind="application/json")

    async def ask(site: Site, fetcher: Fetcher) -> None:
        found = await fetcher.fetch(site.url("/reel"))
        assert data(found) == CLIP
        assert found.page is not None
        assert (found.page.title, found.page.author) == ("Drop", "Ann")

    asked(says(reel=page(html), oembed=said, clip_mp4=answer(CLIP)), ask)


@pytest.mark.parametrize(
    "html",
    [
        b"",
        b"<p>hello",
        b'<meta property="og:video" content="https://player.test/"><meta property="og:video:type" '
        b'content="text/html">',
        b'<script type="application/ld+json">' + b"[" * 100_000,
        bytes(range(256)) * 100,
    ],
)
def test_a_page_that_names_no_media_says_so(html: bytes) -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/reel")) == "page"

    asked(says(reel=page(html)), ask)


def test_a_page_that_names_a_page_or_what_is_private_leads_no_further() -> None:
    def naming(what: str) -> bytes:
        return page(f'<meta property="og:video" content="{what}">'.encode())

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/one")) == "page"
        assert await refused(fetcher, site.url("/inside")) == "private"
        assert await refused(fetcher, site.url("/file")) == "address"

    inside, passwords = naming("http://10.0.0.1/a.mp4"), naming("file:///etc/passwd")
    asked(says(one=naming("/one"), inside=inside, file=passwords), ask)


def test_a_page_is_not_read_where_its_host_does_not_want_it() -> None:
    rules = answer(b"User-agent: *\nDisallow: /reel\n", kind="text/plain")
    handler = says(robots_txt=rules, reel=page(PAGE), open=page(PAGE), clip_mp4=answer(CLIP))

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/reel")) == "robots"
        assert data(await fetcher.fetch(site.url("/open"))) == CLIP
        assert site.asked.count("/robots.txt") == 1
        assert data(await fetcher.fetch(site.url("/clip.mp4"))) == CLIP

    asked(handler, ask)


def test_a_host_that_cannot_say_what_may_be_read_lets_nothing_be_read() -> None:
    handler = says(robots_txt=answer(b"", "500 Oh no"), reel=page(PAGE))

    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert await refused(fetcher, site.url("/reel")) == "robots"

    asked(handler, ask)


def test_what_was_fetched_is_not_fetched_again_as_long_as_there_is_room(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 3 * len(CLIP))
    handler = says(**{f"{i}_mp4": answer(CLIP) for i in range(5)})

    async def ask(site: Site, fetcher: Fetcher) -> None:
        for i in (0, 1, 2, 0, 3, 0, 1):
            assert data(await fetcher.fetch(site.url(f"/{i}.mp4"))) == CLIP
        assert site.asked == [f"/{i}.mp4" for i in (0, 1, 2, 3, 1)]

    asked(handler, ask, cache=cache)
    assert cache.bytes == 3 * len(CLIP)
    files = [*(tmp_path / "cache").iterdir()]
    assert sum(file.stat().st_size for file in files) == cache.bytes
    assert Cache(tmp_path / "cache", 3 * len(CLIP)).bytes == cache.bytes


def test_what_is_larger_than_the_cache_is_fetched_and_not_kept(tmp_path: Path) -> None:
    async def ask(site: Site, fetcher: Fetcher) -> None:
        assert data(await fetcher.fetch(site.url("/a.mp4"))) == CLIP

    asked(says(a_mp4=answer(CLIP)), ask, cache=Cache(tmp_path, 10))
    assert [*tmp_path.iterdir()] == []


def test_files_are_read_in_the_folders_that_are_allowed_alone(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "a b.mp4").write_bytes(CLIP)
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (allowed / "link.mp4").symlink_to(tmp_path / "secret.mp4")

    def kind(address: str, *folders: Path) -> str:
        with pytest.raises(FetchError) as caught:
            local(address, folders)
        return caught.value.kind

    good = f"file://{allowed}/a%20b.mp4"
    assert data(Fetched(local(good, (allowed,)))) == CLIP
    assert data(Fetched(local(good.replace("//", "//localhost", 1), (allowed,)))) == CLIP
    assert kind(good) == "private"
    assert kind(f"file://{tmp_path}/secret.mp4", allowed) == "private"
    assert kind(f"file://{allowed}/../secret.mp4", allowed) == "private"
    assert kind(f"file://{allowed}/link.mp4", allowed) == "private"
    assert kind(f"file://{allowed}/none.mp4", allowed) == "gone"
    assert kind(f"file://other{allowed}/a.mp4", allowed) == "address"
    assert kind("file:///etc/pass%00wd", allowed) == "address"
