"""Are the labels those of other classes?  Told by what other mappings of them would make right."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from videomae.score.merge_views import Prediction

# Worth a warning: so many times as many right, and so many percent of all more.
TIMES, MORE = 3, 20
FEWEST = 5  # videos from which anything can be told


def diagnosis(predictions: Sequence[Prediction], names: Sequence[str]) -> str:
    """Return a warning if another mapping of the labels makes many more predictions right."""
    if len(predictions) < FEWEST:
        return ""
    found = {"as given": sum(each.right for each in predictions), **_others(predictions, names)}
    measured = found["as given"]
    meaning, best = max(found.items(), key=lambda pair: pair[1])
    percent = 100 / len(predictions)
    if best < max(TIMES * measured, measured + MORE / percent):
        return ""
    return (
        f"the labels seem to belong to other classes: {measured * percent:.1f} % of predictions "
        f"are right, but {best * percent:.1f} % {meaning}; compare the list with the folder's "
        "id2label"
    )


def _others(predictions: Sequence[Prediction], names: Sequence[str]) -> Mapping[str, int]:
    alphabetical = sorted(range(len(names)), key=lambda number: names[number].lower())
    mappings: dict[str, Callable[[int], int]] = {
        "if 1 is subtracted from each label (a list that counts from 1)": lambda label: label - 1,
        "if 1 is added to each label": lambda label: label + 1,
        "if the labels follow the alphabetical order of the names": alphabetical.__getitem__,
    }
    counted = {
        meaning: sum(each.predicted == mapped(each.label) for each in predictions)
        for meaning, mapped in mappings.items()
    }
    return {
        **counted,
        "if each label means the class predicted for its other videos": _any(predictions),
    }


def _any(predictions: Sequence[Prediction]) -> int:
    """Return how many predictions are right if each label means its other videos' prediction.

    No class may be two labels' meaning, or a network that always says the same would fit.
    """
    taken: dict[int, Counter[int]] = defaultdict(Counter)
    for each in predictions:
        taken[each.label][each.predicted] += 1
    meant = Counter(counts.most_common(1)[0][0] for counts in taken.values())
    right = 0
    for counts in taken.values():
        for predicted, videos in counts.items():
            others = Counter({**counts, predicted: videos - 1})
            meaning, so_many = others.most_common(1)[0]
            if so_many and meaning == predicted and meant[meaning] == 1:
                right += videos
    return right
