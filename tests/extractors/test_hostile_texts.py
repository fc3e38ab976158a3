"""Pages, rules of hosts and addresses are anybody's text: whatever it is, nothing is raised."""

from hypothesis import given
from hypothesis import strategies as st

from extractors.fetching.addresses import is_public
from extractors.fetching.pages import MAX_TEXT, Page, read, with_oembed
from extractors.fetching.robots import parsed

PIECES = st.sampled_from(
    [
        b"<meta property='og:video' content='",
        b"<meta property='og:video:type' content='text/html'>",
        b"<script type='application/ld+json'>",
        b'{"@type":"VideoObject","contentUrl":',
        b'"http://[::1"',
        b"</script>",
        b"<video src=",
        b"<title>",
        b"'>",
        b"}",
        b"[[[[",
        b"\x00\xff",
    ]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=30).map(b"".join))
def test_any_page_says_something_or_nothing(html: bytes) -> None:
    page = read(html, "https://media.test/reel")
    assert all(text is None or len(text) <= MAX_TEXT for text in (page.title, page.author))
    assert isinstance(with_oembed(page, html), Page)


@given(
    st.lists(
        st.sampled_from(["User-agent: *", "User-agent: us", "Disallow: /", "Allow: /a*b$", "#"])
        | st.text("ab/*$%:é ", max_size=20),
        max_size=20,
    ),
    st.text("ab/*$%é", max_size=30),
)
def test_any_rules_allow_or_not(lines: list[str], path: str) -> None:
    assert parsed("\n".join(lines), "us").allows("/" + path) in (True, False)


@given(st.text("0123456789abcdef:.%x", max_size=40))
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert is_public(text) in (True, False)
    assert not is_public("x" + text)
