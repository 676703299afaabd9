"""The sample catalogue that ``manage.py seed`` loads: enough to try everything with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """``price`` is a decimal string in the shop's currency; ``units`` the opening stock."""

    sku: str
    name: str
    description: str
    price: str
    units: int


SAMPLES = (
    Sample("TEA-EARL-GREY", "Earl Grey tea, 250 g", "Black tea with bergamot, loose leaf.", "8.90", 10_000),
    Sample("TEA-SENCHA", "Sencha, 100 g", "Green tea from Shizuoka, steamed and rolled.", "12.50", 10_000),
    Sample("COFFEE-HOUSE", "House blend coffee, 1 kg", "Medium roast, whole beans.", "18.00", 10_000),
    Sample("MUG-STONE", "Stoneware mug", "Holds 300 ml. Glazed by hand, so no two are alike.", "14.00", 5_000),
    Sample("POT-GLASS", "Glass teapot", "Holds 1.2 l, with a steel strainer.", "32.00", 2_000),
    Sample("KETTLE-GOOSE", "Gooseneck kettle", "Holds 1 l, for induction and gas.", "59.00", 500),
    Sample("GRINDER-HAND", "Hand grinder", "Conical burrs of steel, 38 clicks.", "89.00", 200),
    Sample(
        "SET-TASTING",
        "Tasting set, signed",
        "Twelve teas in a box, signed by the blender. Few were made.",
        "120.00",
        10,
    ),
)
