"""aiogram loaded lightly is aiogram: every type still works, in a process of its own."""

import subprocess
import sys

from utils.paths import PROJECT

CODE = """
from modules.telegram import aiogram_lite
aiogram_lite.load()
import aiogram
from aiogram import methods, types
from pydantic import BaseModel
for home in (types, methods):
    for name in home.__all__[::12]:
        cls = getattr(home, name)
        if isinstance(cls, type) and issubclass(cls, BaseModel):
            cls.model_rebuild()
            assert cls.__pydantic_complete__, name
print(len(types.__all__), BaseModel.model_rebuild.__func__.__module__)
button = types.InlineKeyboardButton(text="a", callback_data="b")
print(types.InlineKeyboardMarkup(inline_keyboard=[[button]]).inline_keyboard[0][0].callback_data)
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=100)


def test_every_type_can_still_be_built() -> None:
    done = run(CODE)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert int(first.split()[0]) > 300 and first.split()[1] == "pydantic.main" and second == "b"


def test_it_is_light_and_loading_twice_does_nothing() -> None:
    """Of 400 types only those of the probe (a message and what belongs to it) have been built."""
    done = run("""
from modules.telegram import aiogram_lite
aiogram_lite.load()
from aiogram import types
from pydantic import BaseModel
built = sum(1 for name in types.__all__ if isinstance(cls := getattr(types, name), type)
            and issubclass(cls, BaseModel) and cls.__pydantic_complete__)
aiogram_lite.load()
print(built)
""")
    assert 0 < int(done.stdout) < 40, done.stderr


def test_when_pydantic_works_otherwise_the_ordinary_way_is_taken() -> None:
    done = run("""
from modules.telegram import aiogram_lite
def refuse(*_): raise AttributeError("no such place")
aiogram_lite._keep_namespace = refuse
aiogram_lite.load()
from aiogram import types
print(types.Update.model_validate(aiogram_lite._PROBE).message.text)
""")
    assert done.stdout.strip() == "x", done.stderr

