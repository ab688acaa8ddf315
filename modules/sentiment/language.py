"""Which language a headline is in: by script, then by small words. Rough on purpose: unsure means English."""

import re
import unicodedata

UNKNOWN = "und"
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {"CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "ru", "ARABIC": "ar",
            "HEBREW": "he", "THAI": "th", "DEVANAGARI": "hi", "GREEK": "el", "BENGALI": "bn", "TAMIL": "ta"}
_SMALL: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in {
    "en": "the a of to in and for on is with as at by from after over its are will be has that this it an up vs was "
          "than more new says what how why not but you your we i my if out about into could may just now amid ahead",
    "es": "el la los las del por para con una que en y su más tras según como sobre entre pero se lo al es un",
    "pt": "o os as do da dos das em no na com uma que por para após mais sobre não se ao é um são seu",
    "fr": "le la les des du une et est dans pour sur avec par plus après au aux qui que ne pas son ses en un selon",
    "de": "der die das und ist den dem ein eine einen nicht mit auf für von zu im bei nach über sich wird auch aus um",
    "it": "il lo gli della del di e che per con una nel sono dopo più alla dei delle sul non si è un",
    "nl": "de het een en van op voor met niet zijn naar bij aan uit ook dat wordt is",
    "tr": "ve bir için ile bu da de daha sonra olarak göre kadar yeni oldu değil en çok",
    "id": "yang dan di untuk dengan dari ini pada akan tidak ke dalam setelah oleh saat juga",
    "pl": "i w na z do się nie jest po za od jak przez oraz że dla to",
    "vi": "và của là trong cho với các được không có những một khi từ"}.items()}


def language(text: str) -> str:
    """ISO 639-1 code of the language of `text` (cleaned), ``und`` without any letters.

    Another language than English is only named when two more of its small words occur than English ones, or when
    most letters are of another script: headlines are short and full of names.
    """
    scripts: dict[str, int] = {}
    letters = 0
    for each in text[:400]:
        if each.isalpha():
            letters += 1
            if not each.isascii():
                name = unicodedata.name(each, "").split(" ", 1)[0]
                if name in _SCRIPTS:
                    scripts[_SCRIPTS[name]] = scripts.get(_SCRIPTS[name], 0) + 1
    if not letters:
        return UNKNOWN
    if "ja" in scripts:  # kana decide: kanji are Chinese characters too
        scripts["ja"] += scripts.pop("zh", 0)
    if scripts and sum(scripts.values()) * 5 >= letters * 2:
        return max(scripts, key=lambda code: scripts[code])
    words = [each.lower() for each in _WORD.findall(text[:1000])]
    votes = {code: sum(each in small for each in words) for code, small in _SMALL.items()}
    best = max(votes, key=lambda code: votes[code])
    return best if votes[best] >= votes["en"] + 2 else "en"
