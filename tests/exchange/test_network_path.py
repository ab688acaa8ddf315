"""Proxy and certificates are applied; faults after the deed leave the truth to a question (X4)."""

import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modules.exchange.address import Address
from modules.exchange.gateway import open_account, open_market
from modules.exchange.link import Link
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Absent, Mode, OrderRequest, OrderState, OrderType, Side, Unavailable, Unknown
from tests.exchange.conftest import SimProcess
from tests.exchange.fake_venue import START_MS, FakeVenue, settings
from tests.exchange.test_gateway import liquid
from utils.paths import Paths


async def test_requests_go_through_the_proxy(venue: FakeVenue) -> None:
    """The venue's name does not exist; only the proxy can answer."""

    async def resolve(session: Any) -> Address:
        return Address("http://venue.invalid", 1.0)

    link = await Link(settings(base_url="http://venue.invalid", proxy=venue.url), resolve).open()
    try:
        assert link.clock.known and venue.count("GET", "time") > 0
        assert venue.headers[0]["Host"] == "venue.invalid"
    finally:
        await link.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "coxswain test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / "ca.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return pem, key_file


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """(address, certificate file) of a venue that speaks TLS with a certificate nobody else trusts."""
    pem, key = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)

    async def tell_time(request: web.Request) -> web.Response:
        return web.json_response({"serverTime": START_MS})

    app = web.Application()
    app.router.add_get("/api/v3/time", tell_time)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}", pem
    await runner.cleanup()


async def test_a_certificate_of_ones_own_is_trusted_only_where_named(secure: tuple[str, Path], tmp_path: Path) -> None:
    url, pem = secure
    paths = Paths(tmp_path).prepare()
    market = await open_market(settings(base_url=url, ca_file=str(pem), timeout_s=5), paths)
    await market.close()
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await open_market(settings(base_url=url, timeout_s=5), paths)


def _faults(simulator: SimProcess, plan: list[dict[str, Any]]) -> None:
    request = Request(f"{simulator.url}/sim/faults", json.dumps(plan).encode(), method="POST",
                      headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("kind", "stands"), [
    ("drop_after", 1), ("status_after", 1), ("drop_before", 0), ("http_status", 0), ("empty", 0), ("html", 0),
    ("garbage", 0),
])
async def test_a_lost_answer_is_unknown_and_the_truth_is_asked(
    simulator: SimProcess, tmp_path: Path, kind: str, stands: int
) -> None:
    """X4: whether the order stands at the venue cannot be told from what came back; asking by client id tells."""
    own = ExchangeSettings(base_url=simulator.url, timeout_s=5)
    market = await open_market(own, Paths(tmp_path).prepare())
    account = await open_account(Mode.LIVE, own, Paths(tmp_path), market)
    pair = await liquid(market)
    rule = {"match": {"method": "POST", "path": "/api/v3/order$"}, "probability": 1, "kind": kind, "times": 1}
    try:
        _faults(simulator, [rule])
        request = OrderRequest(f"cx{kind}", pair.symbol, Side.BUY, OrderType.MARKET, quote_quantity=Decimal(20))
        assert isinstance(await account.place(request), Unknown)
        found = await account.order(pair.symbol, f"cx{kind}")
        assert isinstance(found, OrderState if stands else Absent)
        orders = simulator.truth()["accounts"]["trader"]["orders"]
        assert sum(order["client_id"] == f"cx{kind}" for order in orders) == stands
    finally:
        _faults(simulator, [])
        await account.close()
        await market.close()
