"""Results that are drawn at random: which values there may be, and how many of each. Which elements get them is every
implementation's own, so that these cases are not compared with what they give as expected."""

import numpy as np

from cases import base_name

SIGMAS = 5  # what a count may be off: of two million good ones, one is farther


def count_fault(what, is_drawn, probability):
    """Why elements of these probabilities are not drawn so, or ""."""
    probability = np.broadcast_to(probability, is_drawn.shape).astype(np.float64)
    if (is_drawn & (probability <= 0)).any() or (~is_drawn & (probability >= 1)).any():
        return f"an element is {what} that cannot be, or is not and has to be"
    count, expected = int(is_drawn.sum()), probability.sum()
    bound = SIGMAS * np.sqrt((probability * (1 - probability)).sum())
    if abs(count - expected) <= bound:
        return ""
    return f"{count} of {is_drawn.size} elements are {what}, expected {expected:.1f} to within {bound:.1f}"


def bernoulli(case, inputs, outputs):
    """1 with the probability that the input gives. The standard's own expansion has it for 0: it is 1 where the number
    drawn is above the input."""
    (probability,), (y,) = inputs, outputs
    if not np.isin(y, (0, 1)).all():
        return "an element is neither 0 nor 1"
    is_expanded = base_name(case.name) != case.name
    return count_fault("1", y == 1, 1 - probability if is_expanded else probability)


def dropout(case, inputs, outputs):
    """Each element is dropped with the probability ratio, and divided by 1 - ratio if not; the mask, if there is one,
    says which."""
    x, ratio, _ = inputs
    y, *masks = outputs
    if not all(np.isin(mask, (0, 1)).all() for mask in masks):
        return "an element of the mask is neither 0 nor 1"
    is_kept = masks[0].astype(bool) if masks else y != 0
    good = np.isclose(y, np.where(is_kept, x / (1 - ratio), 0), case.rtol, case.atol)
    if not good.all():
        return f"{good.size - good.sum()} of {good.size} elements are neither dropped nor scaled as the mask says"
    return count_fault("kept", is_kept[x != 0], 1 - ratio)


def drops_at_random(inputs):
    """Whether training_mode is given and true, and there is something to drop."""
    return len(inputs) == 3 and bool(inputs[2]) and inputs[1] > 0


# By operator: whether these inputs make it draw, and the rule.
RULES = {"Bernoulli": (lambda inputs: True, bernoulli), "Dropout": (drops_at_random, dropout)}


def rule_of(case, inputs):
    """The rule for a case's data set, called with the inputs and the outputs: it gives why they are wrong, or "". None
    where nothing is drawn. inputs: arrays by name, in order, as the rule's are."""
    draws, rule = RULES.get(case.group, (lambda inputs: False, None))
    given = list(inputs.values())
    return (lambda outputs: rule(case, given, outputs)) if draws(given) else None
