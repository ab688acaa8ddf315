"""Models: /starttrain /stoptrain /retrainfeedback /clearmodels."""

from pathlib import Path

from modules.telegram.command import Answer, Command, Group, Preview, Refusal, Request
from modules.telegram.commands.crew import troubles
from modules.telegram.context import SCANNER, TRAINER, Context
from modules.telegram.figures import plural
from modules.telegram.markup import b, esc, lines

_ENDINGS = ("_model.pkl", "_scaler.pkl", "_features.pkl", "_manifest.json")


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


def model_files(folder: Path) -> list[Path]:
    """Every file of a model."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(_ENDINGS))


async def clearmodels_preview(context: Context, request: Request) -> Preview | Answer:
    files = await context.read(lambda: model_files(context.paths.models))
    if not files:
        return Answer(b("There are no models to clear."))
    models = [path.name.removesuffix("_model.pkl") for path in files if path.name.endswith("_model.pkl")]
    size = sum(path.stat().st_size for path in files) / 1e6
    return Preview(lines(b(f"Delete all {plural(len(models), 'model')}?"),
                         esc(", ".join(models[:8])) + (" …" if len(models) > 8 else ""),
                         f"{plural(len(files), 'file')}, {size:.1f} MB. They cannot be brought back.",
                         "Until new ones are trained, simple and revival tokens wait. Positions are not touched."),
                   ",".join(models), "Delete models")


async def clearmodels(context: Context, request: Request) -> Answer:
    again = context.running(TRAINER)
    if again:
        await context.crew.stop(TRAINER)  # else it could write a model while they are deleted
    gone = await context.read(lambda: _delete(model_files(context.paths.models)))
    if again:
        trouble = troubles(await context.crew.start(TRAINER))
        if trouble:
            raise Refusal(lines(f"{plural(gone, 'file')} of models deleted.", trouble))
    return Answer(lines(b(f"{plural(gone, 'file')} of models deleted."),
                        "→ /retrainfeedback trains the feedback model anew; tokens are trained when they come up."))


def _delete(files: list[Path]) -> int:
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


COMMANDS = (
    Command("starttrain", "Start the trainer, train what waits", Group.MODELS, starttrain),
    Command("stoptrain", "Stop the trainer", Group.MODELS, stoptrain),
    Command("retrainfeedback", "Train the feedback model now", Group.MODELS, retrainfeedback),
    Command("clearmodels", "Delete all models (after new indicators)", Group.MODELS, clearmodels,
            preview=clearmodels_preview),
)
