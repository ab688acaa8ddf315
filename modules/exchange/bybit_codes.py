"""Bybit v5's measure of requests, and its codes (its published list of errors), for `codes.CodeTable`. They come with
HTTP 200, as `retCode`.
"""

from modules.exchange.codes import CodeTable

# The venue grants an address 600 requests in five seconds; here they are spread over single seconds, a fifth left over
# for sockets and strangers at this address.
CALLS_A_SECOND = 96.0

REFUSED: dict[str, str] = {
    "10001": "a parameter is wrong",
    "10003": "the key is not valid: check BYBIT_API_KEY, and that it is of this site (test network or not)",
    "10004": "the signature is wrong: check BYBIT_API_SECRET",
    "10005": "the key has not the right to do this: it needs Contracts, orders and positions",
    "10008": "the account is banned",
    "10009": "this machine's address is banned",
    "10010": "the key is bound to other addresses than this machine's",
    "10017": "the exchange has no such address",
    "10020": "the exchange does not support this",
    "10024": "the exchange does not allow this product to the account's owner",
    "10027": "trading is banned for this account",
    "10028": "this needs a unified account",
    "10029": "the contract is not on the list of this key",
    "33004": "the key has expired: make a new one and set BYBIT_API_KEY",
    "110003": "the price is outside of the band",
    "110004": "the balance is not sufficient",
    "110005": "the position's state does not allow it",
    "110006": "the estimated liquidation margin is not sufficient",
    "110007": "the balance is not sufficient",
    "110009": "too many conditional orders",
    "110011": "the position would be liquidated at once",
    "110012": "the balance is not sufficient",
    "110013": "the leverage is not valid for this size",
    "110014": "the margin is not sufficient",
    "110015": "the position is in cross margin",
    "110016": "the quantity is beyond the risk limit",
    "110017": "a reduce-only order has nothing to reduce",
    "110018": "the user id is not valid",
    "110019": "the order id is not valid",
    "110020": "too many open orders",
    "110021": "the open interest is at its limit",
    "110023": "the contract only reduces positions now",
    "110024": "the position mode cannot change with a position",
    "110025": "the position mode is that already",
    "110026": "the margin mode is that already",
    "110027": "the margin is that already",
    "110028": "the position mode cannot change with open orders",
    "110029": "the contract has no hedge mode",
    "110032": "the order is not allowed",
    "110034": "there is no position",
    "110040": "the order would be liquidated at once",
    "110043": "the leverage is that already",
    "110044": "the available margin is not sufficient",
    "110045": "the wallet's balance is not sufficient",
    "110046": "the position would be liquidated at once",
    "110047": "the risk limit needs more margin",
    "110048": "the position is beyond the risk limit",
    "110049": "a price has to be a number",
    "110051": "the available balance cannot cover the lowest price",
    "110052": "the available balance is not sufficient",
    "110053": "the available balance cannot cover the highest price",
    "110055": "a stop order of the position stands in the way",
    "110059": "the order is filled in part, its stop and target cannot change",
    "110061": "too many stop-loss and take-profit orders",
    "110063": "the contract is being settled",
    "110064": "the new quantity is not above what is filled already",
    "110066": "trading of this is not allowed now",
    "110067": "unified accounts cannot trade this",
    "110068": "accounts with a loan cannot trade this",
    "110069": "accounts with an OTC loan cannot trade this",
    "110070": "ETP contracts cannot be traded",
    "110071": "the account is being upgraded",
    "110072": "the client id is in use",
    "110073": "setting the margin mode failed",
    "110074": "the contract is not trading",
    "110076": "only isolated margin allows this",
    "110077": "the portfolio mode does not allow this",
    "110090": "the position would be larger than the leverage allows",
    "110092": "the stop would trigger at once: its price has to be above the market's",
    "110093": "the stop would trigger at once: its price has to be below the market's",
    "110094": "the order is under the least value",
    "110097": "the price is not in the order's range",
    "110125": "the exchange's quota for this contract is used up",
    "110126": "the exchange's quota for this account is used up",
    "3400045": "the margin mode cannot change now",
    "182200": "an account upgrade is needed",
}
ABSENT: dict[str, str] = {
    "110001": "the exchange does not know such an order, or it has ended",
    "110008": "the order has ended already",
    "110010": "the order has been cancelled already",
}
CLOCK: dict[str, str] = {"10002": "the request's time is outside of the window"}
LIMITED: dict[str, str] = {
    "10006": "too many requests of this account",
    "10018": "too many requests of this address",
    "10429": "the exchange protects itself from too many requests",
}
UNKNOWN: dict[str, str] = {
    "10000": "the exchange's server timed out",
    "10014": "the exchange has had this very request before",
    "10016": "the exchange failed inside",
    "10019": "the exchange is being restarted",
    "110079": "the order is being processed and cannot be changed now",
}
#: the price lies beyond the trigger already
PASSED = frozenset({"110092", "110093"})
#: nothing is there that the order could close
NOTHING_HELD = frozenset({"110017", "110034"})
FULL = frozenset({"110009", "110020", "110061"})
#: the price is outside of what the venue takes: a market order goes instead
BAND = frozenset({"110003", "110097"})
#: an earlier try of the same order stands there
ID_IN_USE = frozenset({"110072"})
#: what was asked for is so already
ALREADY_SO = frozenset({"110025", "110026", "110043"})

BYBIT = CodeTable(
    "Bybit", REFUSED, ABSENT, CLOCK, LIMITED, UNKNOWN, success=frozenset({"0"}), code_names=("retCode",),
    text_names=("retMsg",), banned_status=403, ban_says="too frequent",
    key_refused=frozenset({"10003", "10004", "10005", "10010", "33004"}))
