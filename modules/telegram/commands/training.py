"""Models: /starttrain /stoptrain /retrainfeedback /clearmodels."""

from modules.learning import catalog
from modules.telegram.command import Answer, Command, Group, Preview, Refusal, Request
from modules.telegram.commands.crew import troubles
from modules.telegram.context import SCANNER, TRAINER, Context
from modules.telegram.markup import b, esc, lines
from utils.figures import plural


async def starttrain(context: Context, request: Request) -> Answer:
    trouble = troubles(await context.crew.start(TRAINER))
    if trouble:
        raise Refusal(trouble)
    context.post(TRAINER, "pending", {})
    return Answer(lines(b("Trainer is running."), "It trains every token that waits for a model, labels candidates "
                        "and retrains the feedback model in time.", "It tells its progress here.",
                        "→ /retrainfeedback trains that one now, /stoptrain stops."))


async def stoptrain(context: Context, request: Request) -> Answer:
    await context.crew.stop(TRAINER)
    waits = "The scanner goes on; tokens without a model wait." if context.running(SCANNER) else None
    return Answer(lines(b("Trainer stopped."), waits, "→ /starttrain starts it again."))


async def retrainfeedback(context: Context, request: Request) -> Answer:
    trouble = troubles(await context.crew.start(TRAINER))
    if trouble:
        raise Refusal(trouble)
    context.post(TRAINER, "feedback", {})
    return Answer(lines(b("The feedback model is being trained."), "The trainer tells here when it is done, and how "
                        "good the model is."))


async def clearmodels_preview(context: Context, request: Request) -> Preview | Answer:
    found = await context.read(lambda: catalog.entries(context.paths.models))
    if not found:
        return Answer(b("There are no models to clear."))
    names = [entry.name for entry in found]
    return Preview(lines(b(f"Delete {plural(len(names), 'model')}, all there {'is' if len(names) == 1 else 'are'}?"),
                         esc(", ".join(names[:8])) + (" …" if len(names) > 8 else ""), "They cannot be brought back.",
                         "Until new ones are trained, simple and revival tokens wait. Positions are not touched."),
                   ",".join(sorted(names)), "Delete models")


async def clearmodels(context: Context, request: Request) -> Answer:
    again = context.running(TRAINER)
    if again:
        await request.progress("Stopping the trainer for a moment …")
        await context.crew.stop(TRAINER)  # else it could write a model while they are deleted
    gone = await context.read(lambda: catalog.clear(context.paths.models))
    trouble = troubles(await context.crew.start(TRAINER)) if again else None
    return Answer(lines(b(f"{plural(gone, 'model')} deleted."), trouble,
                        "→ /retrainfeedback trains the feedback model anew; tokens are trained when they come up."))


COMMANDS = (
    Command("starttrain", "Start the trainer, train what waits", Group.MODELS, starttrain),
    Command("stoptrain", "Stop the trainer", Group.MODELS, stoptrain),
    Command("retrainfeedback", "Train the feedback model now", Group.MODELS, retrainfeedback),
    Command("clearmodels", "Delete all models (after new indicators)", Group.MODELS, clearmodels,
            preview=clearmodels_preview),
)
