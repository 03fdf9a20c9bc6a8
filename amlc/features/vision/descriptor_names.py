"""The names and meanings of the columns of the vision block."""

# Sectors of the hue circle, sectors of the half turn, cells along each side of the grid.
HUES, DIRECTIONS, GRID = 8, 6, 3


def _numbered(name: str, meaning: str, count: int) -> dict[str, str]:
    return {name.format(number): meaning.format(number) for number in range(count)}


# Name and meaning of each column, by the function of `amlc.features.vision.descriptors` that
# computes it.
GROUPS: dict[str, dict[str, str]] = {
    "colour": {
        "lightness_mean": "mean lightness of the foreground, 0 black to 1 white",
        "lightness_std": "standard deviation of the foreground's lightness",
        "redness_mean": "mean redness of the foreground, -1 green to 1 red",
        "redness_std": "standard deviation of the foreground's redness",
        "yellowness_mean": "mean yellowness of the foreground, -1 blue to 1 yellow",
        "yellowness_std": "standard deviation of the foreground's yellowness",
        "chroma_mean": "mean chroma of the foreground, 0 grey to 1 vivid",
        "chroma_std": "standard deviation of the foreground's chroma",
    },
    "tones": {
        "dark_share": "share of the foreground with lightness below 0.3",
        "light_share": "share of the foreground with lightness above 0.85",
        "grey_share": "share of the foreground with chroma below 0.08",
        "vivid_share": "share of the foreground with chroma above 0.45",
    },
    "hues": _numbered(
        "hue_{}",
        "mean chroma of the foreground in octant {} of the hue circle, from red to yellow",
        HUES,
    ),
    "background": {
        "background_share": "share of background: near-white areas that touch the border",
        "border_white": "share of the outermost pixels that are background",
        "border_std": "standard deviation of lightness on the outermost pixels",
    },
    "bounding_box": {
        "box_width": "width of the foreground's bounding box as a share of the picture's",
        "box_height": "height of the foreground's bounding box as a share of the picture's",
        "box_aspect": "0.5 + log2(width / height) / 6 of the box",
        "box_x": "centre of the box, 0 left to 1 right; 0 without foreground",
        "box_y": "centre of the box, 0 top to 1 bottom; 0 without foreground",
        "box_fill": "share of the box that the foreground fills",
        "picture_aspect": "0.5 + log2(width / height) / 6 of the picture",
    },
    "layout": _numbered(
        "mass_{}", "share of the foreground in cell {} of 3 x 3, row by row", GRID**2
    ),
    "edges": {
        "edge_mean": "mean length of the gradient of lightness",
        **_numbered(
            "edge_direction_{}", "share of the gradient in sector {} of the half turn", DIRECTIONS
        ),
    },
    "texture": {
        "detail_fine": "detail lost by halving the picture: sharpness",
        "detail_middle": "detail lost by halving the picture a second time",
        "detail_coarse": "detail lost by halving the picture a third time",
    },
    "patterns": {
        **_numbered("pattern_{}", "share of pixels with {} lighter neighbours in one arc", 9),
        "pattern_mixed": "share of pixels whose lighter neighbours form several arcs",
    },
    "symmetry": {
        "symmetry_across": "1 - mean difference from the picture mirrored left to right",
        "symmetry_down": "1 - mean difference from the picture mirrored top to bottom",
    },
    "objects": {
        "objects": "log2(1 + number of separate areas of foreground) / 5",
        "repeats_across": "autocorrelation of the columns' lightness: objects side by side",
        "repeats_down": "autocorrelation of the rows' lightness: objects stacked up",
    },
}

# Name and meaning of every column of the block, in order.
DESCRIPTORS: dict[str, str] = {
    "placeholder": "1 where there is no picture; every other descriptor is then 0",
    **{name: meaning for columns in GROUPS.values() for name, meaning in columns.items()},
}
