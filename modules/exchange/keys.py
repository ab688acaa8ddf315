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
        return KeyReport(False, False, False, f"The exchange does not accept the key: {why} (code {denied.code}).")
    return KeyReport(can_trade, can_withdraw, can_trade and not can_withdraw, _text(can_trade, can_withdraw))


def _text(can_trade: bool, can_withdraw: bool) -> str:
    if can_withdraw:
        return (
            "This key can withdraw coins, so it is refused: whoever steals it could empty the account. "
            "Make a new key without the withdrawal right and set EXCHANGE_API_KEY and EXCHANGE_API_SECRET."
        )
    if not can_trade:
        return "This key cannot trade. Give it the right for spot trading at the exchange."
    return "This key can trade and cannot withdraw."
