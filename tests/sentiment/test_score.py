"""``bot.py sentiment score``: every row comes back with its score, whatever stands in it."""

import csv
import json
from pathlib import Path

import pytest

from modules.sentiment.cli import FAILED, OK, WRONG, main
from modules.sentiment.language import language
from modules.sentiment.lexicon import lexicon
from modules.sentiment.model import HeadlineModel, ModelFault, shipped
from modules.sentiment.text import MOST_CLEAN, clean, fingerprint, symbols_of
from utils.paths import Paths

HEADLINES = [("Bitcoin surges past $100,000 to a record high as inflows soar", "bullish"),
             ("Shares of Acme plunge after profit warning", "bearish"),
             ("Ethereum plunges 12% after bridge exploit", "bearish"),
             ("Acme raises its outlook, beats estimates", "bullish"),
             ("Fed minutes are published on Wednesday", "neutral"), ("Crypto exchange files for bankruptcy", "bearish"),
             ("Dogecoin to the moon 🚀🚀", "bullish")]


def score(*arguments: str | Path) -> int:
    return main(["score", *map(str, arguments)], None, Paths(Path()))  # type: ignore[arg-type]


def table(file: Path, rows: list[list[str]]) -> Path:
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    return file


def read(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("text, label", HEADLINES)
def test_plain_headlines_take_their_side(text: str, label: str) -> None:
    found = shipped().score(text)
    assert found.label == label and 1 / 3 < found.confidence <= 1 and -1 <= found.score <= 1


def test_the_same_text_scores_the_same() -> None:
    assert shipped().score(HEADLINES[0][0]) == HeadlineModel().score(HEADLINES[0][0])


def test_rows_keep_their_cells_and_get_their_score(tmp_path: Path) -> None:
    source = table(tmp_path / "in.csv", [["id", "text", "label"], *([str(n), text, "old"] for n, (text, _) in
                                                                    enumerate(HEADLINES))])
    assert score("--in", source, "--column", "text", "--out", tmp_path / "out.csv") == OK
    rows = read(tmp_path / "out.csv")
    assert [row["id"] for row in rows] == [str(n) for n in range(len(HEADLINES))]
    assert [row["label"] for row in rows] == [label for _, label in HEADLINES]
    assert all(row["label_given"] == "old" and row["provider"] == shipped().name for row in rows)
    assert all(abs(float(row["score"])) <= 1 and 0 <= float(row["confidence"]) <= 1 for row in rows)


def test_json_lines_and_totals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([json.dumps({"body": text, "n": 1}) for text, _ in HEADLINES] + ["{torn", ""]))
    assert score("--in", source, "--column", "body", "--out", tmp_path / "out.jsonl", "--json") == OK
    totals = json.loads(capsys.readouterr().out)
    assert totals["rows"] == len(HEADLINES) and totals["broken_lines"] == 1 and totals["labels"]["bearish"] == 3
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == [label for _, label in HEADLINES]


def test_odd_texts_are_scored_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["", "   ", "x" * 1_000_000, "比特币创历史新高", "Биткоин обвалился", "\ufeff\u202e",
             "a,b\n\"c\"", "<b>hi</b>"]
    source = table(tmp_path / "in.csv", [["text"], *([text] for text in texts)])
    assert score("--in", source, "--column", "text", "--out", tmp_path / "out.csv") == OK
    rows = read(tmp_path / "out.csv")
    assert [row["text"] for row in rows] == texts
    told = capsys.readouterr().out
    assert "without text" in told and "longer than" in told and "not in English" in told


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"text\nBitcoin \xff\xfe falls\n\x00\x00\n")
    assert score("--in", tmp_path / "in.csv", "--column", "text", "--out", tmp_path / "out.csv") == OK


@pytest.mark.parametrize("content, column, code, says", [
    ("text\nx\n", "body", WRONG, "no column 'body'"), ("", "text", WRONG, "empty"),
    (None, "text", FAILED, "No such file"),
])
def test_what_cannot_be_read_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                             content: str | None, column: str, code: int,
                                                             says: str) -> None:
    if content is not None:
        (tmp_path / "in.csv").write_text(content)
    assert score("--in", tmp_path / "in.csv", "--column", column, "--out", tmp_path / "out.csv") == code
    assert says in capsys.readouterr().err and not (tmp_path / "out.csv").exists()
    assert not list(tmp_path.glob(".*.tmp"))


def test_vader_scores_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("vaderSentiment")
    source = table(tmp_path / "in.csv", [["text"], ["Bitcoin hits all time high"], ["Exchange hacked, funds stolen"]])
    assert score("--in", source, "--column", "text", "--out", tmp_path / "out.csv", "--provider", "vader") == OK
    assert [row["label"] for row in read(tmp_path / "out.csv")] == ["bullish", "bearish"]


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04" + b"\0" * 100])
def test_a_damaged_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(ModelFault, match=r"m\.npz"):
        HeadlineModel(tmp_path / "m.npz")


def test_the_lexicon_is_versioned_and_whole() -> None:
    found = lexicon()
    assert found.version and len(found.valence) > 150 and found.valence["🚀"] > 0 > found.valence["rug pull"]


@pytest.mark.parametrize("text, code", [
    ("Bitcoin rises as the market waits for news", "en"),
    ("El precio de la moneda sube por los rumores del banco", "es"),
    ("Der Kurs ist nach dem Bericht der Bank gefallen", "de"),
    ("Le cours de la monnaie est en baisse dans le monde", "fr"),
    ("Биткоин вырос", "ru"), ("比特币上涨", "zh"), ("ビットコインが上昇", "ja"), ("비트코인 상승", "ko"),
    ("123 !!", "und"),
])
def test_languages(text: str, code: str) -> None:
    assert language(text) == code


KNOWN = ("BTCUSDT", "ETHUSDT", "NEARUSDT", "PEPEUSDT", "LINKUSDT")


@pytest.mark.parametrize("text, symbols", [
    ("$BTC and #eth", ("BTCUSDT", "ETHUSDT")), ("Bitcoin up", ("BTCUSDT",)), ("BTC/USDT", ("BTCUSDT",)),
    ("prices are NEAR the top, see the LINK", ()), ("$NEAR", ("NEARUSDT",)), ("PEPEUSDT soars", ("PEPEUSDT",)),
    ("btc", ()), ("ABTC", ()), ("", ()),
])
def test_symbols_are_tied_to_texts(text: str, symbols: tuple[str, ...]) -> None:
    assert symbols_of(text, KNOWN) == symbols


def test_cleaning_is_bounded_and_near_duplicates_are_one() -> None:
    assert len(clean("<a>" * 5_000_000 + "x")) <= MOST_CLEAN
    assert clean("<script>x</script>A &amp; B\u0000\u200b https://t.co/x") == "A & B"
    assert fingerprint("RT @a: Bitcoin, UP! https://x.y") == fingerprint("bitcoin up")
