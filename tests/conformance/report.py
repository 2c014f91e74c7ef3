"""docs/conformance.md: which official cases pass, by operator or set of models, and why the others do not."""

import collections

NAMED = 6  # cases that are named; of more, only the number is given

# Where fovea gives another result than the case on purpose.
STEPS = ("the case rounds to float16 after every step; fovea computes in float32, and is nearer to the exact "
         "result")
ON_PURPOSE = {"test_attention_4d_causal_fp16": STEPS,
              "test_attention_4d_causal_fp16_expanded": STEPS}

HEAD = """# Conformance

The official test cases of the onnx package ({version}), each compiled by `fovea compile`, its C built as strict C99
without a warning, and run; results compared at the standard's own tolerance. **{passed} of {total} cases pass.**
In {fixed} of these the inputs that shapes depend on (axes, sizes, indices) are given as constants, since fovea wants to
know shapes when it compiles. A sequence is an input or output for each of its tensors, whose number is compared too; a case
without a value for an optional input is compiled with `--absent`. A case whose name ends in `expanded` is an operator spelt
as others.

In {drawn} the results are drawn at random (Bernoulli, Dropout in training), by every implementation in its own way: they are
checked by what may be drawn (0 or 1; 0 or the input scaled, as the mask says) and by how many, which has to be within five
standard deviations of what the case's own probabilities give. Of the 10 elements that a case of Bernoulli has that number
may be nearly any; tests/exec/random_numbers_test.py draws many.

In {fractional} a Resize aligns corners by a scale that gives no whole number of elements. They are compiled with
`--resize-lengths fractional`, as the reference implementation, which has computed what they expect, takes the input's length
times the scale; fovea's default is the output's length, as in ONNX's text, ONNX Runtime and PyTorch, and where the two differ
it says so.

ULP is the worst difference in those that pass, in units in the last place of the output's type; of an element that is less
than a sixteenth of the output's largest, of that sixteenth, as sums that nearly cancel are no better. Some cases have what
they expect in four or five digits (of AveragePool, RoiAlign, GridSample), so that it is these that differ.

This page and tests/conformance/passing.txt are written by

    FOVEA=build/release/fovea FOVEA_BUILD_DIR=build/release FOVEA_SOURCE_DIR=. \\
        .venv/bin/python tests/conformance/conformance_test.py --update

A case that passed and fails is an error of the test `conformance/conformance_test.py`.
"""


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def reasons_text(failed, outcomes):
    """Each reason with its cases."""
    by_reason = collections.defaultdict(list)
    for case in failed:
        by_reason[ON_PURPOSE.get(case.name, outcomes[case.name].reason)].append(case.name)
    parts = []
    for reason, names in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        who = ", ".join(f"`{n}`" for n in names) if len(names) <= NAMED else f"{len(names)} cases"
        parts.append(f"{who}: {cell(reason)}")
    return "<br>".join(parts)


def ulp_text(cases, outcomes):
    """The worst of cases; blank where none has floats."""
    known = [ulp for case in cases for ulp in outcomes[case.name].ulps if ulp is not None]
    return "" if not known else f"{max(known):.0f}" if max(known) >= 10 else f"{max(known):.2g}"


def write(path, cases, outcomes, version):
    groups = collections.defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    passed = [case for case in cases if not outcomes[case.name].reason]
    fixed = sum(outcomes[case.name].fixed for case in passed)
    drawn = sum(outcomes[case.name].drawn for case in passed)
    fractional = sum(outcomes[case.name].fractional for case in passed)
    rows = {True: [], False: []}  # by whether any case passes
    for group in sorted(groups, key=str.lower):
        failed = [case for case in groups[group] if outcomes[case.name].reason]
        good = len(groups[group]) - len(failed)
        ulp = ulp_text([case for case in groups[group] if not outcomes[case.name].reason], outcomes)
        rows[good > 0].append(f"| {group} | {good} | {len(groups[group])} | {ulp} | {reasons_text(failed, outcomes)} |")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD.format(version=version, passed=len(passed), total=len(cases), fixed=fixed, drawn=drawn,
                               fractional=fractional))
        for any_passes, title in ((True, "Of which cases pass"), (False, "Of which none passes")):
            file.write(f"\n## {title}\n\n| operator, or set of models | pass | of | ULP | the others |\n|---|---|---|---|---|\n")
            file.writelines(row + "\n" for row in rows[any_passes])
