"""A made pair of languages in which what a word becomes depends on words around it.

The source is poor in forms and has its verb in the middle. The target puts the verb last and adjectives behind their
noun, and spells out what the source leaves to the reader. So a translator has to look

- at a neighbour: determiners give nouns their number, particles change what a verb means, the first sound of the word
  before changes the first sound of a noun, adjective or verb;
- at the syntactic head: verbs choose the case of their object, adjectives agree with their noun in gender, number and
  case, relative pronouns with their antecedent, verbs with their subject;
- further away: the word for time at the beginning sets the tense of every verb, pronouns take the gender and number of
  the subject of the clause before;
- at rarity: names are many and rare, and copied.
"""

import random
from dataclasses import dataclass, field
from typing import Any

NOUNS, ADJECTIVES, VERBS, NAMES = 30, 16, 20, 400
SPLITS = {"train": 60_000, "calibrate": 1_000, "evaluate": 1_000}

NUMBER = {"a": "sg", "the": "sg", "these": "pl", "many": "pl"}
TIME = {"yesterday": "past", "today": "now", "tomorrow": "soon"}
PARTICLES = ("", "up", "off")
GENDERS = ("m", "f", "n")

NOUN_ENDING = {
    ("nom", "sg"): "", ("acc", "sg"): "m", ("dat", "sg"): "r",
    ("nom", "pl"): "i", ("acc", "pl"): "im", ("dat", "pl"): "ir",
}  # fmt: skip
ADJECTIVE_ENDING = {"m": "o", "f": "a", "n": "e"}
VERB_ENDING = {"past": "ka", "now": "ti", "soon": "vu"}
PLURAL = {"sg": "", "pl": "s"}
OPENINGS, MUTATIONS = "ptkbdg", "fszvlj"  # the first sound as it is, and as it is behind some words


@dataclass
class Lexicon:
    """Source words, and what the target makes of them."""

    nouns: dict[str, tuple[str, str]]  # source: (stem, gender)
    adjectives: dict[str, str]
    verbs: dict[str, tuple[dict[str, str], str]]  # source: (stem for each particle, case of the object)
    names: list[str]
    softening: set[str]  # source words that change the first sound of the word behind them


@dataclass
class Phrase:
    """A noun phrase, name or pronoun: its source words and what the target has to know."""

    source: list[str]
    gender: str
    number: str
    words: list[Any] = field(default_factory=list)  # functions of the case to a target word, in target order

    def target(self, case: str) -> list[str]:
        """The words of the target in a case."""
        return [word(case) for word in self.words]


def _syllables(rng: random.Random, count: int, first: str = OPENINGS) -> str:
    text = rng.choice(first) + rng.choice("aeiou")
    return text + "".join(rng.choice("lmnrsktp") + rng.choice("aeiou") for _ in range(count - 1))


def _distinct(rng: random.Random, count: int, syllables: int, taken: set[str], first: str = OPENINGS) -> list[str]:
    words: list[str] = []
    while len(words) < count:
        word = _syllables(rng, syllables, first)
        if word not in taken:
            taken.add(word)
            words.append(word)
    return words


def lexicon(rng: random.Random) -> Lexicon:
    """The vocabulary of both languages; the same for the same random numbers."""
    taken: set[str] = set()
    source = [_distinct(rng, count, 2, taken, "wyhlmnrsc") for count in (NOUNS, ADJECTIVES, VERBS)]
    nouns, adjectives = (_distinct(rng, count, 2, taken) for count in (NOUNS, ADJECTIVES))
    stems = _distinct(rng, VERBS * len(PARTICLES), 2, taken)
    senses = [dict(zip(PARTICLES, stems[at::VERBS], strict=True)) for at in range(VERBS)]
    cases = ["acc" if at % 2 else "dat" for at in range(VERBS)]
    return Lexicon(
        nouns={word: (stem, GENDERS[at % 3]) for at, (word, stem) in enumerate(zip(source[0], nouns, strict=True))},
        adjectives=dict(zip(source[1], adjectives, strict=True)),
        verbs={word: (senses[at], cases[at]) for at, word in enumerate(source[2])},
        names=[name.capitalize() for name in _distinct(rng, NAMES, 3, taken)],
        softening={"a", "many", "it", *source[0][::2], *source[1][::2]},
    )


def _sound(stem: str, before: str, lex: Lexicon) -> str:
    return MUTATIONS[OPENINGS.index(stem[0])] + stem[1:] if before in lex.softening else stem


def noun_phrase(rng: random.Random, lex: Lexicon, depth: int, tense: str) -> Phrase:
    """A name, or determiner, adjective and noun, sometimes with a relative clause."""
    if rng.random() < 0.2:
        name = lex.names[min(int(rng.paretovariate(0.6)) - 1, NAMES - 1)]
        return Phrase([name], "m", "sg", [lambda case: name])
    determiner, noun = rng.choice(list(NUMBER)), rng.choice(list(lex.nouns))
    stem, gender = lex.nouns[noun]
    number = NUMBER[determiner]
    phrase = Phrase([determiner], gender, number)
    later = []
    if rng.random() < 0.5:
        adjective = rng.choice(list(lex.adjectives))
        form = _sound(lex.adjectives[adjective], determiner, lex) + ADJECTIVE_ENDING[gender]
        later.append(lambda case: form + PLURAL[number] + ("" if case == "nom" else "n"))
        phrase.source.append(adjective)
    spoken = _sound(stem, phrase.source[-1], lex)
    phrase.source.append(noun)
    phrase.words = [lambda case: spoken + NOUN_ENDING[case, number], *later]
    if depth and rng.random() < 0.35:
        _relative(rng, lex, phrase, tense)
    return phrase


def _relative(rng: random.Random, lex: Lexicon, phrase: Phrase, tense: str) -> None:
    """``that`` with its antecedent as subject or as object; the pronoun agrees and shows which."""
    other = noun_phrase(rng, lex, 0, tense)
    inner = rng.random() < 0.5
    words, stem, governed = _verb(rng, lex, "that" if inner else other.source[-1])
    subject = phrase if inner else other
    role = "nom" if inner else governed
    pronoun = "qu" + ADJECTIVE_ENDING[phrase.gender] + PLURAL[phrase.number] + NOUN_ENDING[role, "sg"]
    phrase.source += ["that", *words, *other.source] if inner else ["that", *other.source, *words]
    inside = [pronoun, *other.target(governed if inner else "nom"), _conjugated(stem, tense, subject)]
    phrase.words += [lambda case, word=word: word for word in inside]


def _verb(rng: random.Random, lex: Lexicon, before: str) -> tuple[list[str], str, str]:
    """Source words, target stem behind the word ``before``, and the case of the object."""
    verb, particle = rng.choice(list(lex.verbs)), rng.choice(PARTICLES)
    senses, case = lex.verbs[verb]
    return [verb, *([particle] if particle else [])], _sound(senses[particle], before, lex), case


def _conjugated(stem: str, tense: str, subject: Phrase) -> str:
    return stem + VERB_ENDING[tense] + PLURAL[subject.number]


def clause(rng: random.Random, lex: Lexicon, tense: str, subject: Phrase, depth: int) -> tuple[list[str], list[str]]:
    """Subject, verb, object in the source; subject, object, verb in the target."""
    words, stem, case = _verb(rng, lex, subject.source[-1])
    thing = noun_phrase(rng, lex, depth, tense)
    target = [*subject.target("nom"), *thing.target(case), _conjugated(stem, tense, subject)]
    return [*subject.source, *words, *thing.source], target


def sentence(rng: random.Random, lex: Lexicon) -> tuple[str, str]:
    """One sentence in both languages."""
    time = rng.choice(list(TIME))
    subject = noun_phrase(rng, lex, 1, TIME[time])
    second = rng.random() < 0.4
    source, target = clause(rng, lex, TIME[time], subject, 0 if second or len(subject.source) > 4 else 1)
    if second:
        pronoun = "hi" + ADJECTIVE_ENDING[subject.gender] + PLURAL[subject.number]
        again = Phrase(["it"], subject.gender, subject.number, [lambda case: pronoun])
        more = clause(rng, lex, TIME[time], again, 0)
        source, target = [*source, "and", *more[0]], [*target, "et", *more[1]]
    return " ".join([time, *source]), " ".join(target)


def make(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Distinct sentences, so that none is in two splits."""
    rng = random.Random(seed)
    lex = lexicon(rng)
    pairs: dict[str, str] = {}
    while len(pairs) < sum(SPLITS.values()):
        source, target = sentence(rng, lex)
        pairs.setdefault(source, target)
    rows = [{"source": source, "target": target} for source, target in pairs.items()]
    ends = [SPLITS["train"], SPLITS["train"] + SPLITS["calibrate"], len(rows)]
    return {name: rows[end - SPLITS[name] : end] for name, end in zip(SPLITS, ends, strict=True)}
