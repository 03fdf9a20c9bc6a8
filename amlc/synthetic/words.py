"""The vocabulary of the synthetic catalogue, and the effect of each word on the price."""

from typing import Literal, NamedTuple

SizeKind = Literal["mass", "volume", "count", "length"]
Shape = Literal["jar", "bottle", "can", "box", "bag", "tub", "roll"]


class Category(NamedTuple):
    """One category of products.

    Parameters
    ----------
    noun : str
        Its name in titles.
    kind : str
        The quantity that its size measures.
    size : float
        Its usual size, in ounces, fluid ounces, pieces or feet.
    price : float
        Price of one piece of the usual size, before all other effects.
    shape : str
        Shape of its package in the picture.
    hue : int
        Colour of the content, in degrees from 0 to 359.
    """

    noun: str
    kind: SizeKind
    size: float
    price: float
    shape: Shape
    hue: int


CATEGORIES = (
    Category("Ground Cinnamon", "mass", 2.5, 6.0, "jar", 24),
    Category("Black Peppercorns", "mass", 4.0, 8.5, "jar", 40),
    Category("Coarse Sea Salt", "mass", 16.0, 6.0, "tub", 200),
    Category("Basmati Rice", "mass", 32.0, 8.0, "bag", 46),
    Category("Red Lentils", "mass", 24.0, 6.5, "bag", 14),
    Category("Rolled Oats", "mass", 18.0, 5.0, "tub", 38),
    Category("Penne Pasta", "mass", 16.0, 3.5, "box", 45),
    Category("Roasted Almonds", "mass", 12.0, 11.0, "bag", 28),
    Category("Trail Mix", "mass", 10.0, 7.5, "bag", 95),
    Category("Dried Mango", "mass", 8.0, 8.0, "bag", 36),
    Category("Dark Chocolate", "mass", 3.5, 4.0, "box", 18),
    Category("Gummy Candy", "mass", 8.0, 4.5, "bag", 330),
    Category("Peanut Butter", "mass", 16.0, 7.0, "jar", 30),
    Category("Strawberry Jam", "mass", 12.0, 6.5, "jar", 350),
    Category("Wildflower Honey", "mass", 16.0, 12.0, "jar", 42),
    Category("Coffee Beans", "mass", 12.0, 14.0, "bag", 20),
    Category("Protein Powder", "mass", 24.0, 31.0, "tub", 225),
    Category("Potato Crisps", "mass", 7.0, 4.0, "bag", 55),
    Category("Tomato Sauce", "mass", 15.0, 3.0, "can", 5),
    Category("Black Beans", "mass", 15.0, 2.5, "can", 280),
    Category("Tuna Fillets", "mass", 5.0, 4.0, "can", 195),
    Category("Pancake Mix", "mass", 28.0, 6.5, "box", 50),
    Category("Matcha Powder", "mass", 2.0, 19.0, "can", 110),
    Category("Saffron Threads", "mass", 0.1, 15.0, "jar", 10),
    Category("Smoked Jerky", "mass", 3.0, 8.0, "bag", 8),
    Category("Seeded Crackers", "mass", 9.0, 4.5, "box", 34),
    Category("Curry Paste", "mass", 4.0, 5.5, "jar", 26),
    Category("Baking Cocoa", "mass", 8.0, 8.0, "can", 16),
    Category("Olive Oil", "volume", 17.0, 15.0, "bottle", 65),
    Category("Cider Vinegar", "volume", 16.0, 6.0, "bottle", 32),
    Category("Hot Sauce", "volume", 5.0, 5.5, "bottle", 2),
    Category("Maple Syrup", "volume", 12.0, 13.0, "bottle", 22),
    Category("Soy Sauce", "volume", 10.0, 4.5, "bottle", 12),
    Category("Sparkling Water", "volume", 12.0, 2.0, "can", 185),
    Category("Cold Brew Coffee", "volume", 11.0, 4.0, "can", 19),
    Category("Vanilla Extract", "volume", 2.0, 12.0, "bottle", 27),
    Category("Coconut Milk", "volume", 13.5, 3.5, "can", 150),
    Category("Vegetable Broth", "volume", 32.0, 4.5, "box", 85),
    Category("Dish Soap", "volume", 22.0, 5.0, "bottle", 170),
    Category("Herbal Tea Bags", "count", 20.0, 6.0, "box", 130),
    Category("Oat Bars", "count", 6.0, 6.0, "box", 40),
    Category("Coffee Capsules", "count", 12.0, 9.5, "box", 15),
    Category("Paper Plates", "count", 50.0, 8.0, "bag", 210),
    Category("Vitamin Gummies", "count", 60.0, 16.0, "jar", 300),
    Category("Gift Hamper", "count", 1.0, 45.0, "box", 345),
    Category("Baking Parchment", "length", 50.0, 6.5, "roll", 48),
    Category("Cotton Twine", "length", 200.0, 7.5, "roll", 33),
)

# Word, effect on log price, and weight with which it is drawn.
QUALITIES = (
    ("", 0.0, 14.0),
    ("Organic", 0.20, 3.0),
    ("Premium", 0.15, 2.0),
    ("Small Batch", 0.28, 1.0),
    ("Artisan", 0.24, 1.0),
    ("Imported", 0.22, 1.0),
    ("Raw", 0.10, 1.0),
    ("Family Size", 0.05, 1.0),
    ("Everyday", -0.18, 1.5),
    ("Budget", -0.35, 1.0),
    ("Classic", -0.05, 2.0),
    ("Café Style", 0.08, 0.7),
)
FLAVOURS = (
    ("", 0.0, 8.0),
    ("Original", -0.04, 3.0),
    ("Lemon", 0.0, 1.0),
    ("Ginger", 0.04, 1.0),
    ("Smoky", 0.05, 1.0),
    ("Truffle", 0.45, 0.4),
    ("Vanilla", 0.04, 1.0),
    ("Jalapeño", 0.02, 0.8),
    ("Unsweetened", 0.03, 1.0),
    ("Crème Brûlée", 0.15, 0.4),
    ("Wild Berry", 0.06, 1.0),
    ("Gluten Free", 0.12, 1.5),
    ("Low Sodium", 0.05, 1.0),
    ("Yuzu", 0.25, 0.4),
    ("Salted", -0.05, 1.0),
    ("Keto", 0.25, 0.7),
)

# The parts of 24 x 20 names of brands, of which more than half have a tail.
BRAND_HEADS = (
    *("Vorn", "Quis", "Tamber", "Zell", "Brin", "Ostrel", "Mard", "Fenn", "Lum", "Calv"),
    *("Dray", "Eld", "Gor", "Hesk", "Ilv", "Jor", "Kest", "Nym", "Pell", "Rusk"),
    *("Sond", "Tré", "Ul", "Wyn"),
)
BRAND_ENDS = (
    *("ela", "dotte", "wick", "ara", "enko", "ista", "brook", "mere", "oni", "field"),
    *("ovia", "hollow", "une", "aro", "stead", "lind", "imo", "ford", "essa", "quay"),
)
BRAND_TAILS = ("", "", "", "", "Foods", "Farms", "Kitchen", "& Daughters", "Pantry", "Co.")

# Spelling, number of these units in an ounce, fluid ounce, piece or foot, and weight with which it
# is drawn.
UNITS: dict[SizeKind, tuple[tuple[str, float, float], ...]] = {
    "mass": (
        ("Ounce", 1.0, 78.0),
        ("ounce", 1.0, 6.0),
        ("oz", 1.0, 4.0),
        ("Oz", 1.0, 2.0),
        ("OZ", 1.0, 1.0),
        ("ounces", 1.0, 1.0),
        ("pound", 0.0625, 2.0),
        ("Pound", 0.0625, 1.0),
        ("lb", 0.0625, 1.0),
        ("gram", 28.3495, 1.5),
        ("Grams", 28.3495, 1.0),
        ("g", 28.3495, 0.5),
        ("Kilogram", 0.0283495, 1.0),
    ),
    "volume": (
        ("Fl Oz", 1.0, 80.0),
        ("fl oz", 1.0, 6.0),
        ("Fluid Ounce", 1.0, 4.0),
        ("Fl. Oz", 1.0, 3.0),
        ("FL OZ", 1.0, 2.0),
        ("millilitre", 29.5735, 2.0),
        ("ml", 29.5735, 1.0),
        ("Liters", 0.0295735, 2.0),
    ),
    "count": (
        ("Count", 1.0, 84.0),
        ("count", 1.0, 8.0),
        ("ct", 1.0, 4.0),
        ("COUNT", 1.0, 2.0),
        ("Each", 1.0, 2.0),
    ),
    "length": (("Foot", 1.0, 60.0), ("ft", 1.0, 30.0), ("inch", 12.0, 10.0)),
}

# How titles state a size.
SIZE_PHRASES: dict[SizeKind, tuple[str, ...]] = {
    "mass": ("{} Ounce", "{} Ounce", "{} oz", "{}oz", "{} OZ", "{}-Ounce", "{} Ounces"),
    "volume": ("{} Fl Oz", "{} Fl Oz", "{} fl oz", "{} Fluid Ounces", "{}floz"),
    "count": ("{} Count", "{} ct", "{} Pieces", "{}ct", "Box of {}"),
    "length": ("{} ft", "{} Feet", "{}ft"),
}
PACK_PHRASES = (
    *("(Pack of {})", "(Pack of {})", "(Pack of {})", "{} per case", "Case of {}"),
    *("{}-Pack", "- {} ct", "(Set of {})", "x {}", "Pack of {}"),
)

PLACES = (
    *("our valley", "the northern coast", "a family orchard", "the high plains", "the old mill"),
    *("the harbour market", "a village cooperative", "the lake district"),
)
USES = (
    *("weekday dinners", "lunch boxes", "slow Sunday breakfasts", "camping trips", "baking days"),
    *("office snacks", "holiday tables", "soups and stews", "picnics", "midnight cravings"),
)
ADJECTIVES = ("bright", "rich", "clean", "bold", "mellow", "crisp", "rounded", "lively", "delicate")

BULLETS = (
    "Made with care near {place}, with a {adjective} taste that lasts",
    "Ideal for {use} and for {use2}",
    "{brand} {noun} comes in a pack that closes tightly and travels well",
    "NO SHORTCUTS: nothing artificial, no added colours, nothing that you cannot pronounce",
    "A {adjective}, {adjective2} character, loved by cooks who taste before they measure",
    "✅ Checked by hand, batch after batch",
    "Keep in a cool, dry cupboard; once opened, use within eight weeks",
    "🌿 Grown around {place} — picked, sorted and packed the same week",
    'We call it "the {adjective} one": try it once and you will know why',
    "Suitable for vegetarians; packed where nuts and sesame are handled as well",
    "VERSATILE | Stir it in, sprinkle it over, or share it as it is. Great for {use}",
    "Each piece is weighed twice, so what the label says is what you get",
    "{flavour} notes up front, and a {adjective} finish",
    "A thoughtful gift for anyone who enjoys {use}",
    "Our growers have worked with {place} for three generations™",
    "Not happy? Write to {brand}, and we will put it right",
    "Pairs well with cheese, fruit & fresh bread",
    "Goûtez la différence: {adjective} and never dull",
    "Recyclable package; 100% of the power at {place} comes from the sun ☀️",
    "An everyday staple for {use}, {use2} and whatever comes between",
)
SENTENCES = (
    "{brand} started with one stall by {place} and a stubborn idea of how {noun} should taste.",
    "The result is {adjective}, {adjective2} and ready for {use}.",
    "We work slowly, because hurry never made anything {adjective}.",
    "Use it for {use}, or keep a second one aside for {use2}.",
    "What you see in the picture is what arrives; labels may change with the season.",
    "Every lot can be traced back to {place}.",
    "People tell us that our {noun} turned {use} into something to look forward to.",
    "Store away from light, and do not freeze.",
    "Naïve? Perhaps — but it works: 9 of 10 customers come back.",
)
