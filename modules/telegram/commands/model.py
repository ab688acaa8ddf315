"""/model: the card of a model: what it promises, what it kept live, and whether it stands aside and why."""

import msgspec

from modules.exchange.types import Unavailable
from modules.learning import cards, catalog, gate, modelfiles
from modules.learning.cards import Card
from modules.learning.modelfiles import FEEDBACK, Manifest, NoneNow, summary
from modules.learning.trees import BadModel
from modules.learning.validation import Interval
from modules.market import universe
from modules.strategies.hype.files import Kept, LearningFiles
from modules.telegram.command import Answer, Arg, Command, Group, Refusal, Request, Role
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines
from utils.figures import plural, when

READ = "docs/MODELS.md tells how to read it."


async def model(context: Context, request: Request) -> Answer:
    typed = request.text("which") or FEEDBACK
    name = FEEDBACK if typed.lower() in (FEEDBACK, "global") else universe.symbol_of(typed)
    try:
        modelfiles.check_name(name)
    except ValueError:
        raise Refusal(lines(f"{esc(typed)} names no model.",
                            "→ /model PEPE, or /model for the feedback model.")) from None
    folder = context.paths.models
    manifest = await context.read(lambda: modelfiles.read_manifest(folder, name))
    if not isinstance(manifest, Manifest):
        return await _none(context, name, manifest)
    try:
        await context.read(lambda: modelfiles.load(folder, name))
    except BadModel as problem:
        return Answer(lines(b(_title(name)) + " is refused", esc(str(problem)), "Nothing is judged by it.",
                            "→ /starttrain sets it aside and trains it anew."))
    card = await context.read(lambda: cards.read(folder, name, manifest.generation))
    kept = (await context.read(LearningFiles(context.paths).watch.load)).get(name)
    text = lines(*_head(manifest, context.zone), "", *_unseen(manifest, card, context), "", *_live(manifest, kept),
                 await _others(context, name), f"→ {READ}")
    if card is None:
        return Answer(lines(text, "(no picture: it could not be judged on candidates it had not seen)"))
    spec = {"name": _title(name), "state": state(manifest), "zone": context.zone, "note": _note(manifest, card),
            "bar": context.settings.learning.approve_confidence, "card": msgspec.to_builtins(card),
            "per_trade": _per_trade(manifest)}
    try:
        made = await context.worker("model", spec)
    except Unavailable as problem:
        return Answer(lines(text, f"(no picture: {esc(problem)})"))
    return Answer(text, picture=context.paths.data / made["picture"])


def state(manifest: Manifest) -> str:
    """``votes``, ``stands aside`` or ``retired``."""
    if manifest.retired:
        return "retired"
    return "stands aside" if manifest.aside else "votes"


async def _none(context: Context, name: str, manifest: NoneNow | None) -> Answer:
    if isinstance(manifest, NoneNow):
        return Answer(lines(b(f"{_title(name)}: none can be made now"), esc(manifest.reason),
                            "Its simple and revival entries are refused; the trainer tries again by itself."))
    if name == FEEDBACK:
        return Answer(lines(b("There is no feedback model yet."), "simple and revival entries wait for it.",
                            "→ /retrainfeedback trains it."))
    why = (await context.read(LearningFiles(context.paths).pending.load)).get(name)
    return Answer(lines(b(f"{name} has no model of its own."), f"It waits to be trained: {esc(why)}." if why else
                        "One is trained when it becomes a candidate.", "→ /model shows the feedback model."))


def _title(name: str) -> str:
    return "Feedback model" if name == FEEDBACK else f"Model of {name}"


def _head(manifest: Manifest, zone: str) -> list[str | None]:
    learnt = summary(manifest).split(";")[0]
    means = {"votes": "It may veto, and its confidence sizes the exits.",
             "stands aside": "It vetoes nothing and gives no confidence: entries are taken without it.",
             "retired": "It broke its promise live and vetoes nothing until its record is in order again."}
    now = state(manifest)
    return [b(_title(manifest.name)) + f": {b(now)}", means[now],
            f"Why: {esc(manifest.aside)}." if manifest.aside else None,
            f"Asks: {esc(manifest.label)}. {esc(learnt)}, trained {when(manifest.trained_ms, zone)}."]


def _unseen(manifest: Manifest, card: Card | None, context: Context) -> list[str | None]:
    """The figures on candidates that it had not seen."""
    found: list[str | None] = [b("On candidates it had not seen")]
    if card is not None:
        bar = context.settings.learning.approve_confidence
        found.append(f"{card.judged} judged, {card.base_rate:.0%} of all came true")
        if manifest.promise is not None:
            of = manifest.promise
            found.append(f"confidence {bar:.2f} and more: {of.approved}, {_share(of.precision)} came true")
    metrics, evidence = manifest.metrics, manifest.gate
    if metrics is not None:
        found.append(f"AUC {metrics.auc.mean:.2f} [{metrics.auc.low:.2f}, {metrics.auc.high:.2f}], Brier "
                     f"{metrics.brier:.3f} (a constant: {metrics.brier_constant:.3f})")
    if evidence is not None and evidence.judged:
        found += [f"a trade, approved: {_net(evidence.chosen)}", f"a trade, all: {_net(evidence.all)}",
                  f"lift: {b(_net(evidence.lift))}"]
        if evidence.approved and evidence.chosen.mean < 0:
            found.append("Hype trading lost here, with the filter and without it.")
    if len(found) == 1:
        found.append("nothing could be judged yet")
    return found


def _live(manifest: Manifest, kept: Kept | None) -> list[str | None]:
    promised = manifest.promise.sentence() if manifest.promise is not None and not (
        manifest.aside and not manifest.retired) else "nothing: it stands aside since its training"
    return [b("Live"), f"Promised: {promised}.",
            f"Kept: {kept.watch.sentence()}." if kept is not None else "Kept: no live candidate is resolved yet."]


async def _others(context: Context, name: str) -> str | None:
    if name != FEEDBACK:
        return None
    counts = await context.read(lambda: catalog.counts(context.paths.models))
    if not counts["models"]:
        return None
    return f"{counts['models_proven']} of {plural(counts['models'], 'token model')} vote; /model PEPE shows one."


def _note(manifest: Manifest, card: Card) -> str:
    known = manifest.gate is not None and manifest.gate.lift.high < gate.UNKNOWN
    lift = f" · lift {_net(manifest.gate.lift)}" if manifest.gate is not None and known else ""
    return f"{card.label} · {card.judged} unseen{lift}"


def _per_trade(manifest: Manifest) -> list[str]:
    """What the approved and all earned a trade, in words for the picture."""
    found = manifest.gate
    if found is None or not found.judged:
        return ["", ""]
    return [f"{found.chosen.mean:+.2f}% a trade ({found.approved})", f"{found.all.mean:+.2f}% a trade ({found.judged})"]


def _share(interval: Interval) -> str:
    return f"{interval.mean:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _net(interval: Interval) -> str:
    if interval.high >= gate.UNKNOWN:
        return "not known" if not interval.mean else f"{interval.mean:+.2f}%, interval not known"
    return f"{interval.mean:+.2f}% [{interval.low:+.2f}, {interval.high:+.2f}]"


COMMANDS = (
    Command("model", "What a model promises and keeps, with a picture", Group.MODELS, model, Role.VIEWER,
            args=(Arg("which", "text", "a token, or feedback (default)"),)),
)
