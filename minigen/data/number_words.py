"""Numbers spelled out, 0 to 999,999: text whose validity a program can judge.

English is the American form, one spelling for each number, with hyphens and without "and": "two hundred
thirty-four". Spanish follows the Real Academia: accents ("veintidós"), one word up to 29, "y" between tens
and units only, "ciento" but "cien", and before "mil" the shortened "un" ("veintiún mil"). Accented letters
are single characters (Unicode NFC).
"""

from functools import cache

from minigen.data.arguments import whole_number

LIMIT = 1_000_000

# ruff: noqa: SIM905 - as lists, these would take a line for every word
ENGLISH = (
    "zero one two three four five six seven eight nine ten "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()

SPANISH = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
SPANISH_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
SPANISH_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()


def spell_number(value: int, *, language: str = "en") -> str:
    """`value` in words: "forty-two" or, with language="es", "cuarenta y dos".

    Raises TypeError or ValueError for anything but a whole number from 0 to 999,999, ValueError for a
    language other than "en" and "es".
    """
    value = whole_number("spell_number", "value", value, at_least=0)
    if value >= LIMIT:
        raise ValueError(f"spell_number: value is {value}; it wants at most {LIMIT - 1}")
    _check_language("spell_number", language)
    thousands, rest = divmod(value, 1000)
    if not thousands:
        return _below_thousand(rest, language)
    words = [_thousands(thousands, language)]
    if rest:
        words.append(_below_thousand(rest, language))
    return " ".join(words)


def parse_number(text: str, *, language: str = "en") -> int | None:
    """The value of a number spelled out exactly as `spell_number` does it, or None for any other text.

    Nothing is forgiven: "twenty one", "Two", "mil uno " and "veintidos" are None.
    """
    _check_language("parse_number", language)
    values, thousands = _dictionaries(language)
    if text in values:
        return values[text]
    word = _thousand_word(language)
    head, found, tail = text.partition(word)
    head += found  # "two thousand five" -> "two thousand", " five"
    if head in thousands and not tail:
        return thousands[head]
    rest = values.get(tail.removeprefix(" "), 0) if tail.startswith(" ") else 0
    if head in thousands and rest:  # not 0: "one thousand zero" is no number
        return thousands[head] + rest
    return None


def is_valid_number(text: str, *, language: str = "en") -> bool:
    """True if `text` is a number from 0 to 999,999 in words, spelled exactly as `spell_number` does it."""
    return parse_number(text, language=language) is not None


def spelled_numbers(*, language: str = "en", start: int = 0, stop: int = 10_000) -> list[str]:
    """The numbers from `start` up to, not including, `stop` in words.   -> a list of stop - start texts

    Raises ValueError if the range is empty or leaves 0 .. 1,000,000, or for a language other than "en" and
    "es".
    """
    start = whole_number("spelled_numbers", "start", start, at_least=0)
    stop = whole_number("spelled_numbers", "stop", stop, at_least=start + 1)
    return [spell_number(value, language=language) for value in range(start, stop)]


def _check_language(where: str, language: str) -> None:
    if language not in ("en", "es"):
        raise ValueError(f'{where}: language is {language!r}; it wants "en" or "es"')


def _thousand_word(language: str) -> str:
    return "thousand" if language == "en" else "mil"


def _below_thousand(value: int, language: str) -> str:
    return _english(value) if language == "en" else _spanish(value)


def _thousands(count: int, language: str) -> str:
    """`count` thousand in words, count 1 to 999."""
    if language == "en":
        return _english(count) + " thousand"
    if count == 1:
        return "mil"
    words = _spanish(count)
    if words.endswith("veintiuno"):
        return words.removesuffix("veintiuno") + "veintiún mil"
    return (words.removesuffix("o") if words.endswith("uno") else words) + " mil"


def _english(value: int) -> str:
    """0 to 999."""
    if value < 20:
        return ENGLISH[value]
    if value < 100:
        tens, units = divmod(value, 10)
        return ENGLISH_TENS[tens - 2] + (f"-{ENGLISH[units]}" if units else "")
    hundreds, rest = divmod(value, 100)
    return f"{ENGLISH[hundreds]} hundred" + (f" {_english(rest)}" if rest else "")


def _spanish(value: int) -> str:
    """0 to 999."""
    if value < 30:
        return SPANISH[value]
    if value < 100:
        tens, units = divmod(value, 10)
        return SPANISH_TENS[tens - 3] + (f" y {SPANISH[units]}" if units else "")
    if value == 100:
        return "cien"
    hundreds, rest = divmod(value, 100)
    return SPANISH_HUNDREDS[hundreds - 1] + (f" {_spanish(rest)}" if rest else "")


@cache
def _dictionaries(language: str) -> tuple[dict[str, int], dict[str, int]]:
    """From words to values: all the numbers below 1,000, and all the whole thousands."""
    values = {_below_thousand(value, language): value for value in range(1000)}
    thousands = {_thousands(count, language): 1000 * count for count in range(1, 1000)}
    return values, thousands
