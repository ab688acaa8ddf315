"""Feeds of strangers: whatever the bytes, reading ends soon, loads nothing, and tells what it read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.sentiment.feedxml import MOST_ITEMS, parse, when

RSS = """<?xml version="1.0" encoding="{0}"?><rss version="2.0"><channel><title>Channel</title>
<item><title>Bitcoin &amp; Ether rally&nbsp;on</title><description><![CDATA[<p>BTC is up &nbsp; 5%</p>]]></description>
<pubDate>Sat, 21 Nov 2026 05:00:00 GMT</pubDate></item>
<item><title>Второй заголовок 二</title><dc:date xmlns:dc="x">2026-11-21T05:00:00Z</dc:date></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title>
<entry><title type="html">Solana &lt;b&gt;up&lt;/b&gt;</title><summary>s</summary>
<updated>2026-11-21T05:00:00+01:00</updated><author><title>not this</title></author></entry>
<entry><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">only <b>content</b></div></content>
</entry></feed>"""


def test_rss() -> None:
    found = parse(RSS.format("utf-8").encode())
    assert found.problem == "" and [one.title for one in found.items] == ["Bitcoin & Ether rally\xa0on",
                                                                            "Второй заголовок 二"]
    assert "5%" in found.items[0].body and found.items[0].published_ms == found.items[1].published_ms == 1795237200000


def test_atom() -> None:
    found = parse(ATOM.encode())
    assert found.problem == "" and found.items[0].title == "Solana <b>up</b>"
    assert found.items[0].published_ms == 1795233600000
    assert found.items[1].body == "only content" and found.items[1].title == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_encodings(encoding: str) -> None:
    assert parse(RSS.format(encoding.removesuffix("-sig")).encode(encoding)).items[1].title == "Второй заголовок 二"


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "shift_jis", "gb18030"])
def test_old_encodings(encoding: str) -> None:
    text = RSS.format(encoding).replace(" 二", "")
    assert parse(text.encode(encoding)).items[1].title == "Второй заголовок"


def test_a_header_tells_the_charset_and_an_unknown_one_is_utf8() -> None:
    plain = RSS.format("x").replace(' encoding="x"', "").replace(" 二", "")
    assert parse(plain.encode("windows-1251"), "windows-1251").items[1].title == "Второй заголовок"
    assert parse(RSS.format("martian").encode(), "rot13").items[1].title == "Второй заголовок 二"


LAUGHS = ('<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9)) +
    "]><rss><channel><item><title>&j;</title></item></channel></rss>")


@pytest.mark.parametrize("document", [
    LAUGHS, '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item><title>&x;</title></item>'
            "</channel></rss>",
    '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1:1/"> %x;]><rss/>',
])
def test_entities_are_never_read(document: str) -> None:
    found = parse(document.encode())
    assert not found.items and "entities" in found.problem


def test_a_document_type_alone_is_harmless() -> None:
    document = '<!DOCTYPE rss SYSTEM "http://example.com/rss-0.91.dtd">' + RSS.format("").split("?>")[1]
    assert len(parse(document.encode()).items) == 2


@pytest.mark.parametrize("cut", ["</item>\n<item><title>Вт", "</channel>"])
def test_broken_xml_gives_what_came_before_it(cut: str) -> None:
    text = RSS.format("utf-8")
    found = parse(text[:text.index(cut) + len(cut)].encode())
    assert found.items[0].title.startswith("Bitcoin") and "broken XML in line" in found.problem


@pytest.mark.parametrize("content, says", [
    (b"", "broken"), (b"<html><body>404</body></html>", "no feed"), (b"not xml", "broken"), (b"\x00\xff\xfe", "broken"),
    (b"<rss>" + b"<a>" * 100_000, "deep"),
    (b"<rss><channel>" + b"<item><title>x</title></item>" * 200_000, ""),
    (b"<rss><channel><item><title>" + b"y" * 9_000_000, "longer than"),
])
def test_what_is_no_feed_or_too_much_of_one(content: bytes, says: str) -> None:
    found = parse(content)
    assert says in found.problem and len(found.items) <= MOST_ITEMS
    assert all(len(one.title) <= 60_000 for one in found.items)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_can_stop_it(content: bytes) -> None:
    parse(content)
    parse(b"<rss><channel><item><title>" + content)
    parse(b'<?xml version="1.0" encoding="' + content + b'"?><rss/>')


@pytest.mark.parametrize("text, ms", [
    ("Sat, 21 Nov 2026 05:00:00 GMT", 1795237200000), ("2026-11-21", 1795219200000), ("", None), ("soon", None),
    ("Sat, 99 Nov 2026 05:00:00 GMT", None), ("9999-12-31T23:59:59Z", None), ("0001-01-01", None), ("1" * 5000, None),
])
def test_dates(text: str, ms: int | None) -> None:
    assert when(text) == ms
