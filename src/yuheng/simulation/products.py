"""What a demo plant makes: how products, their bills of material and their routings are described.

Plain words about materials and steps; codes instead of keys. `config.demo_products` brings them into engineering
through its services, and from there on they are products like any other. What the model and the simulated people need
of a step (its class of machine, its family, how a piece is made) is read from the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yuheng.simulation.layout import PlantSpec

PIECE = "{piece}"
NONE, LOT, SERIAL = "none", "lot", "serial"
VISUAL, MEASURED, CONFIRM = "visual", "measured", "confirm"


@dataclass(frozen=True, slots=True)
class Bought:
    """A material that suppliers bring.

    Attributes
    ----------
    life_days
        How long it may be kept; 0: for ever.
    is_scarce
        It comes in small lots and often late: now and then it runs out.
    pack
        It comes in whole multiples of this.
    """

    code: str
    name_zh: str
    name_en: str
    unit: str = PIECE
    tracking: str = NONE
    life_days: int = 0
    is_scarce: bool = False
    pack: int = 1


@dataclass(frozen=True, slots=True)
class Option:
    """Something a customer chooses: a number with limits, one of some words, or yes or no."""

    name: str
    name_zh: str
    name_en: str
    default: str
    unit: str = "1"
    choices: tuple[str, ...] = ()
    low: str = ""
    high: str = ""

    @property
    def kind(self) -> str:
        """Return the word that engineering has for it."""
        if self.choices:
            return "choice"
        return "boolean" if self.default in ("true", "false") else "number"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: ``quantity`` is a formula over the options; ``step`` is where it is used ("" the first)."""

    material: str
    quantity: str = "1"
    step: str = ""
    condition: str = ""
    scrap: str = "0"
    position: str = ""
    alternates: tuple[str, ...] = ()
    bindings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Something to be looked at, measured or confirmed once for a job."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    unit: str = "1"
    low: float | None = None
    target: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A set point of the process with its limits; ``symbol`` is the signal of the machine that shows it."""

    code: str
    name_zh: str
    name_en: str
    unit: str
    low: float
    target: float
    high: float
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """What is the same for all steps on one class of machine.

    Attributes
    ----------
    skill
        Code, Chinese and English name of what one must have learned to work there.
    is_counting
        The machine's own counter reports good pieces; elsewhere people say how many.
    checks, settings
        Of every step there that does not name its own.
    instruction_zh, instruction_en
        What the terminal shows.
    """

    machine: str  # code of the class
    skill: tuple[str, str, str]
    is_counting: bool = False
    checks: tuple[Check, ...] = ()
    settings: tuple[Setting, ...] = ()
    instruction_zh: str = ""
    instruction_en: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a routing.

    Attributes
    ----------
    machine
        Code of the class of machine.
    run_s
        Time of one piece: seconds, or a formula over the options that gives seconds.
    setup_s
        0: the class' own time.
    only
        Work units that may do it, best first; empty: every one of the class.
    rework_of
        This step is only reached by pieces of that step which have to be worked on again.
    wait_s
        What passes after it without a machine (cooling, hardening).
    transfer
        So many pieces go on at once before all are done; 0: all together.
    """

    code: str
    name_zh: str
    name_en: str
    machine: str
    run_s: str
    setup_s: float = 0.0
    only: tuple[str, ...] = ()
    rework_of: str = ""
    wait_s: float = 0.0
    transfer: int = 0
    crew: int = 1
    checks: tuple[Check, ...] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A product or part that the plant makes.

    Attributes
    ----------
    family
        A family of the plant's model: what is alike in set-up, and how the machines' sensors feel it.
    """

    code: str
    name_zh: str
    name_en: str
    family: str
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    options: tuple[Option, ...] = ()
    tracking: str = NONE
    is_product: bool = False

    def step(self, code: str) -> Step | None:
        """Return the step with this code."""
        return next((one for one in self.steps if one.code == code), None)


@dataclass(frozen=True, slots=True)
class Customer:
    """Who orders."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What customers order of one product: how often, how many, and which options they choose among."""

    product: str
    share: float
    pieces: tuple[int, int]
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything one plant makes, buys and sells.

    Attributes
    ----------
    orders_per_hour
        What the plant gets done when it runs well.
    lead_hours
        What an order takes from its release to its end, about.
    past_hours
        How long the plant has worked before a visitor comes for the first time.
    most_open
        So many released orders keep it busy; the next one is released when one is done.
    """

    plant: PlantSpec
    bought: tuple[Bought, ...]
    made: tuple[Made, ...]
    trades: tuple[Trade, ...]
    customers: tuple[Customer, ...]
    suppliers: tuple[Customer, ...]
    wishes: tuple[Wish, ...]
    order_prefix: str
    orders_per_hour: float
    lead_hours: float
    past_hours: float
    most_open: int

    def trade(self, machine: str) -> Trade:
        """Return what holds for a class of machine."""
        return next(one for one in self.trades if one.machine == machine)

    def by_code(self) -> Mapping[str, Made]:
        """Return what is made, by its code."""
        return {one.code: one for one in self.made}

    def parts_first(self) -> list[Made]:
        """Return what is made, each after everything that goes into it.

        Raises
        ------
        ValueError
            Something contains itself.
        """
        known, done, found = self.by_code(), set[str](), list[Made]()

        def add(one: Made, above: tuple[str, ...]) -> None:
            if one.code in above:
                raise ValueError(f"{one.code} contains itself: {' > '.join((*above, one.code))}.")
            for line in one.lines:
                if (part := known.get(line.material)) is not None and part.code not in done:
                    add(part, (*above, one.code))
            if one.code not in done:
                done.add(one.code)
                found.append(one)

        for one in self.made:
            add(one, ())
        return found


def faults(catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a catalogue, as sentences; nothing when it is whole.

    Checks what needs no engineering: codes, references, machines, families, limits. Formulas are checked by releasing
    everything (a test does).
    """
    return [*_twice(catalogue), *_of_materials(catalogue), *_of_steps(catalogue), *_of_wishes(catalogue)]


def _twice(catalogue: Catalogue) -> Iterator[str]:
    codes = [*(one.code for one in catalogue.bought), *(one.code for one in catalogue.made)]
    yield from (f"{code} is there twice." for code in sorted({code for code in codes if codes.count(code) > 1}))


def _of_materials(catalogue: Catalogue) -> Iterator[str]:
    known = {one.code for one in catalogue.bought} | {one.code for one in catalogue.made}
    used = {line.material for one in catalogue.made for line in one.lines}
    used |= {other for one in catalogue.made for line in one.lines for other in line.alternates}
    yield from (f"{code} is used and not known." for code in sorted(used - known))
    yield from (f"{one.code} is bought and never used." for one in catalogue.bought if one.code not in used)
    for one in catalogue.made:
        if one.family not in catalogue.plant.routes:
            yield f"{one.code}: the model has no family {one.family}."
        if not one.is_product and one.code not in used:
            yield f"{one.code} is made and never used."


def _of_steps(catalogue: Catalogue) -> Iterator[str]:
    trades = {one.machine for one in catalogue.trades}
    yield from (f"{code}: nobody says what holds there." for code in sorted(set(catalogue.plant.classes) - trades))
    units = {unit.code: unit.kind.code for unit in catalogue.plant.units()}
    for one in catalogue.made:
        codes = [step.code for step in one.steps]
        if not codes or len(set(codes)) != len(codes):
            yield f"{one.code} needs steps, each with its own code."
        for step in one.steps:
            if step.machine not in catalogue.plant.classes:
                yield f"{one.code}/{step.code}: there is no machine {step.machine}."
            if wrong := [unit for unit in step.only if units.get(unit) != step.machine]:
                yield f"{one.code}/{step.code}: {', '.join(wrong)} is no {step.machine}."
            if step.rework_of and step.rework_of not in codes:
                yield f"{one.code}/{step.code}: there is no step {step.rework_of}."
        wrong_lines = [line for line in one.lines if line.step and line.step not in codes]
        yield from (f"{one.code}: there is no step {line.step} to use {line.material} at." for line in wrong_lines)


def _of_wishes(catalogue: Catalogue) -> Iterator[str]:
    products = {one.code: one for one in catalogue.made if one.is_product}
    wished = {one.product for one in catalogue.wishes}
    yield from (f"Nobody orders {code}." for code in sorted(set(products) - wished))
    for wish in catalogue.wishes:
        product = products.get(wish.product)
        if product is None:
            yield f"{wish.product} is ordered and no product."
            continue
        known = {option.name: option for option in product.options}
        for name, values in wish.options:
            option = known.get(name)
            if option is None:
                yield f"{wish.product} has no option {name}."
            elif option.choices and set(values) - set(option.choices):
                yield f"{wish.product}: {name} cannot be {', '.join(sorted(set(values) - set(option.choices)))}."
