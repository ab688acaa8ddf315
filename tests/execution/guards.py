"""Which guard is held by which test: taken out as told here, the named test fails.

`python -m benchmarks.mutations` takes each out in a copy of the program and runs its test; `test_guards.py` sees to it
that the table stays true to the source.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: the rule it keeps, where it stands, how it is taken out, and the test that notices."""

    rule: str
    file: str
    old: str
    new: str
    test: str


E = "modules/execution/"
H = "modules/strategies/hype/"
EXECUTOR = "tests/execution/test_executor.py::"
JOURNAL = "tests/execution/test_journal.py::"
CONTROLS = "tests/execution/test_controls.py::"
LIMITS = "tests/execution/test_limits.py::test_each_limit_refuses_with_its_code_and_a_sentence"
DESK = "tests/hype/test_desk_reconcile.py::"
TRACKER = "tests/hype/test_tracker.py::"
WATCH = "tests/hype/test_tracker_watch.py::"

GUARDS: tuple[Guard, ...] = (
    Guard("X1 no order without its intent", E + "executor.py", "await asyncio.to_thread(self._journal.open, intent)",
          "await asyncio.sleep(0)", EXECUTOR + "test_the_intent_is_on_disk_before_the_request_leaves"),
    Guard("X1 the intent is flushed to disk", E + "journal.py", "                if flush:\n",
          "                if False:\n",
          JOURNAL + "test_an_intent_is_flushed_to_the_disk_itself"),
    Guard("X2 one open intent a slot", E + "journal.py", "if any(entry.open for entry in", "if any(False for entry in",
          JOURNAL + "test_the_next_generation_comes_only_after_the_end_of_the_one_before"),
    Guard("X2 an id is used once", E + "journal.py", "if intent.id in self._book.entries or", "if",
          JOURNAL + "test_the_next_generation_comes_only_after_the_end_of_the_one_before"),
    Guard("X2 shortened slots keep their generation", E + "journal.py",
          "return max([*past, self._book.floors.get(key, -1)]) + 1", "return max([*past, -1]) + 1",
          JOURNAL + "test_a_shortened_slot_never_gets_an_old_id_again"),
    Guard("X1 shortening keeps what others wrote", E + "journal.py", "whole = _parsed(content)[0].shortened()",
          "whole = self._book.shortened()", JOURNAL + "test_shortening_keeps_what_another_process_wrote"),
    Guard("X1 a line twice counts once", E + "journal.py", "if line.intent.id not in self.entries:", "if True:",
          JOURNAL + "test_a_line_that_is_there_twice_does_not_open_its_intent_again"),
    Guard("X1 a torn tail is cut", E + "journal.py", "    out.truncate(keep)\n", "    out.seek(keep)\n",
          JOURNAL + "test_a_line_that_another_process_left_torn_is_cut_before_ours_is_written"),
    Guard("X3 an id in use is asked about", E + "executor.py", "case Refused(code, text) if code in ID_IN_USE:",
          "case Refused(code, text) if code in ():",
          EXECUTOR + "test_an_id_in_use_is_asked_about_instead_of_believed_refused"),
    Guard("X4 not there is said twice", E + "executor.py", "if absences >= 2:", "if absences >= 1:",
          EXECUTOR + "test_an_order_that_shows_late_is_found_by_asking_again"),
    Guard("X4 not there only after the window", E + "executor.py", " and self._window_closed(intent):", ":",
          EXECUTOR + "test_while_the_exchanges_window_is_open_absence_proves_nothing"),
    Guard("X5 an older order is not ours", E + "executor.py",
          "if isinstance(found, OrderState) and found.created_ms < self._before(intent.market_ms):", "if False:",
          EXECUTOR + "test_an_order_made_long_before_we_signed_is_not_ours"),
    Guard("X8 one placement at a time a symbol", E + "executor.py", "if turn in self._placing:  # X8",
          "if False:", EXECUTOR + "test_two_orders_of_one_symbol_never_fly_together"),
    Guard("X9 a resting order is cancelled", E + "executor.py",
          "await self._account.cancel(intent.symbol, intent.id)", "await asyncio.sleep(0)",
          EXECUTOR + "test_an_order_that_rests_is_cancelled"),
    Guard("X10 only a checklist approves", E + "controls.py", "if token is not _TOKEN:", "if False:",
          CONTROLS + "test_nobody_else_can_approve"),
    Guard("X10 what is sent was approved", E + "controls.py", 'if getattr(self, "_token", None) is not _TOKEN:',
          "if False:", CONTROLS + "test_nobody_else_can_approve"),
    Guard("X10 the order is the one that was checked", E + "controls.py",
          "    if not same or intent.type", "    if intent.type",
          CONTROLS + "test_an_order_other_than_the_one_that_was_checked_is_not_approved"),
    Guard("X10 all limits are asked", E + "limits.py", "    Slippage(), NotFallen(), WholeUnits(),",
          "    Slippage(), WholeUnits(),", LIMITS),
    Guard("X10 stale price", E + "limits.py", "if age_ms > limits.max_data_age_ms else \"\"\n\n\nclass Rested",
          "if False else \"\"\n\n\nclass Rested", LIMITS),
    Guard("X15 unknown holdings refuse", E + "limits.py", "        if world.token_value is None:\n",
          "        if world.token_value is None:\n            return \"\"\n", LIMITS),
    Guard("X15 unknown balance refuses", E + "limits.py", "        if world.free_quote is None:\n",
          "        if world.free_quote is None:\n            return \"\"\n", LIMITS),
    Guard("A18 person's coins count", E + "limits.py", "total = world.token_value + ask.quote", "total = ask.quote",
          DESK + "test_a_persons_own_coins_count_towards_the_limit_of_the_token"),
    Guard("X11 a fill counts once (order)", E + "order_state.py", "seen.setdefault(fill.id, fill)",
          "seen.setdefault(fill.id + str(len(seen)), fill)", EXECUTOR + "test_fills_told_twice_count_once"),
    Guard("X11 terminal states stay", E + "order_state.py",
          "if known.status.terminal and not update.status.terminal:", "if False:",
          "tests/execution/test_order_state.py"),
    Guard("X11 a fill counts once (ledger)", E + "ledger.py",
          "return Taken.DUPLICATE if _same(known, fill) else Taken.CONFLICT", "pass",
          "tests/execution/test_ledger.py"),
    Guard("X11 one id names one trade", "modules/exchange/own_trades.py", "if known and (", "if False and (",
          "tests/exchange/test_own_trades.py"),
    Guard("X13 a stranger's order needs two sightings", E + "reconcile.py",
          "confirmed = before.confirmed or finding.confirmed or now_ms - before.first_ms >= patience.apart_ms",
          "confirmed = True", "tests/execution/test_reconcile.py"),
    Guard("X14 a second writer stops entries", H + "desk_entry.py", "        second_writer=desk.second_writer,",
          '        second_writer="",', DESK + "test_a_second_writer_stops_entries_and_exits_go_on"),
    Guard("X15 an empty answer is not believed", E + "reconcile.py", "    if _empty(ledger, venue.balances):",
          "    if False:", DESK + "test_an_empty_answer_is_not_believed_while_coins_are_held"),
    Guard("X15 a balance that cannot be is refused", E + "reconcile.py",
          "    return not _impossible(balances) and not _empty(ledger, balances)",
          "    return not _empty(ledger, balances)", DESK + "test_a_balance_that_cannot_be_is_refused"),
    Guard("X16 entries closed until compared", H + "desk.py",
          "else self.closed or self.doubt", 'else ""',
          DESK + "test_until_the_first_pass_has_succeeded_there_are_exits_only"),
    Guard("X15 doubt stops entries", H + "desk_reconcile.py", '(missing[0] if missing else "")', '""',
          DESK + "test_an_empty_answer_is_not_believed_while_coins_are_held"),
    Guard("X17 late executions are booked", H + "desk_reconcile.py",
          "                await self._book_late(entry.intent, mine, market)", "                pass",
          DESK + "test_an_order_that_was_believed_never_sent_and_was_executed_becomes_a_position"),
    Guard("X18 coins gone are told twice seen", H + "desk_reconcile.py",
          "if not finding.confirmed or finding.venue is None:", "if finding.venue is None:",
          DESK + "test_coins_missing_in_one_answer_alone_leave_the_position_guarded"),
    Guard("X18 a purchase without fills is guarded at once", H + "desk_entry.py",
          "            await hold(desk, intent, executed, market, reason)\n", "",
          TRACKER + "test_a_purchase_whose_fills_cannot_be_read_is_guarded_at_once_and_recorded_exactly"),
    Guard("X18 its exits do not wait for its fills", H + "desk_recovery.py",
          'name = f"{symbol} fills" if held is not None and held.id == entry.intent.id else symbol', "name = symbol",
          TRACKER + "test_the_stop_of_a_purchase_without_fills_does_not_wait_for_them"),
    Guard("X20 a purchase becomes what its fills say", H + "desk_entry.py",
          "        known = corrected(known, executed, intent.fees)\n", "",
          TRACKER + "test_a_purchase_whose_fills_cannot_be_read_is_guarded_at_once_and_recorded_exactly"),
    Guard("X19 a synthetic entry where no fill is known", H + "desk_reconcile.py",
          "                books.take([made], market)", "                pass",
          DESK + "test_a_position_without_any_fill_on_record_gets_a_marked_synthetic_entry"),
    Guard("X20 a position is what its fills say", H + "desk_reconcile.py",
          "            if market.step <= held < position.quantity:", "            if False:",
          DESK + "test_fills_that_were_told_late_are_counted_and_the_position_is_what_they_say"),
    Guard("X21 what moves is left alone", E + "reconcile.py",
          "        if now_ms - coins.touched_ms < patience.recent_ms or flying.intersection(coins.symbols):",
          "        if False:", "tests/execution/test_reconcile.py"),
    Guard("X24 doubt about a token stops entries there", E + "limits.py",
          "if ask.symbol in world.doubted:", "if False:", LIMITS),
    Guard("X25 at most what the ledger and the venue have", E + "controls.py",
          "most = min([intent.quantity, *known])", "most = intent.quantity",
          CONTROLS + "test_an_exit_sells_at_most_what_is_ours_and_what_is_free"),
    Guard("X25 free coins only when nothing moved since", H + "desk_exit.py",
          "settled_ms > holding.last_ms", "True",
          DESK + "test_a_balance_that_lags_behind_a_purchase_does_not_shrink_its_exit"),
    Guard("X7 a sale is booked once", H + "positions.py", "    if intent.id in position.applied:\n", "    if False:\n",
          "tests/hype/test_positions.py"),
    Guard("P10 one instant for positions and trades", H + "desk.py",
          "asyncio.to_thread(self.files.tracked.save, positions)",
          "asyncio.to_thread(self.files.tracked.save, dict(self.positions))",
          "tests/hype/test_desk_flush.py"),
    Guard("P10 fills before the intent is closed", H + "desk.py",
          "                    await self.books.flush(self.house.market.clock.now_ms())", "                    pass",
          DESK + "test_fills_that_were_told_late_are_counted_and_the_position_is_what_they_say"),
    Guard("A11 gone only when two lists lack it", H + "tracker_watch.py",
          'state = "delisted" if self._missing[key] >= SIGHTINGS else position.state', 'state = "delisted"',
          "tests/hype/test_tracker_watch.py"),
)
