"""What a key may do, in plain words; a key that can withdraw is refused (P14).

MEXC tells `canTrade` and `canWithdraw` of the *account*. Whether the *key* may touch withdrawals shows when it asks
for their history: a key without that right gets "no permission". A key counts as able to withdraw when the account
can and the history was not denied: the error that is safe is to refuse a harmless key.
"""

from dataclasses import dataclass

from modules.exchange.mexc_codes import MEXC
from modules.exchange.types import Denied
from modules.exchange.venue_mexc import MexcAccount


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key's rights. `usable`: live trading may start with it; `text` says why, or why not and what to do."""

    can_trade: bool
    can_withdraw: bool
    usable: bool
    text: str


async def key_report(account: MexcAccount) -> KeyReport:
    """Ask the venue what the key may do. Raises Unavailable when it cannot be found out."""
    try:
        can_trade, account_can_withdraw = await account.rights()
        can_withdraw = account_can_withdraw and await account.sees_withdrawals()
    except Denied as denied:
        why = MEXC.meaning(denied.code) or str(denied)
        text = f"The exchange does not accept the key: {why} (code {denied.code}). {HOW_TO_MAKE}"
        return KeyReport(False, False, False, text)
    return KeyReport(can_trade, can_withdraw, can_trade and not can_withdraw, _text(can_trade, can_withdraw))


HOW_TO_MAKE = (
    "Make a key at mexc.com under API Management: tick reading the account and spot trading, leave everything about "
    "withdrawals and transfers unticked, bind it to this machine's address; then put it into .env as EXCHANGE_API_KEY "
    "and EXCHANGE_API_SECRET and send /restartloop. `python bot.py doctor` checks it."
)


def _text(can_trade: bool, can_withdraw: bool) -> str:
    if can_withdraw:
        return ("This key can withdraw coins, so LIVE trading does not start with it: whoever steals it could empty "
                f"the account. Delete it at the exchange. {HOW_TO_MAKE}")
    if not can_trade:
        return f"This key cannot trade. {HOW_TO_MAKE}"
    return "This key can trade and cannot withdraw."
