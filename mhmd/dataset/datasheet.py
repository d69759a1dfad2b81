"""The dataset's datasheet: questions of Gebru et al., Datasheets for datasets, CACM 64, 2021, answered from the tables.

What tables cannot know is said to be for whoever publishes the dataset to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mhmd.splits import SPLITS

if TYPE_CHECKING:
    from mhmd.dataset.facts import Facts

YOURS = "*For whoever publishes this dataset to answer.*"


def datasheet(facts: Facts) -> str:
    """Markdown: a heading a section, a question and its answer each."""
    lines = ["# Datasheet\n"]
    for section, questions in _sections(facts).items():
        lines.append(f"## {section}\n")
        lines += [f"**{question}** {answer}\n" for question, answer in questions.items()]
    return "\n".join(lines)


def _sections(facts: Facts) -> dict[str, dict[str, str]]:
    from mhmd.dataset.facts import absent, counted

    rows = facts.rows
    titles, films = (len(rows[of].unique()) for of in ("title", "film_id"))
    splits = ", ".join(f"{facts.samples(of)} {of}" for of in SPLITS)
    labelled = sum(int(str(row[-1])) for row in counted(rows, "label_id") if row[0] != -1)
    labels = len({row[0] for row in counted(rows, "label_id") if row[0] != -1})
    rights = sorted(set(_given(facts, "rights")))
    years = [int(year) for year in _given(facts, "year")]
    without = facts.films.num_rows - len(_given(facts, "rights"))
    return {
        "Motivation": {
            "For what purpose was the dataset created?": "To train and evaluate automatic colorization that gives "
            "persons' clothes the colours of their era, nationality and garment.",
            "Who created it, and who paid?": YOURS,
        },
        "Composition": {
            "What do the instances represent?": "Still frames of films: a picture, a human-parsing mask, a label.",
            "How many instances are there?": f"{rows.num_rows} of {films} films of {titles} titles ({splits}).",
            "Is it a sample of a larger set?": "Yes: within each shot the sharpest frame of each interval, away from "
            "transitions; rejected frames and near-duplicates are left out.",
            "Is there a label?": f"{labelled} of {rows.num_rows} samples have one of {len(facts.labels)} labels; "
            f"{labels} occur.",
            "Is information missing?": absent(facts).replace("\n", " ").strip(),
            "Are there recommended splits?": f"Yes: {splits}. A title is never in two of them.",
            "Are there errors or noise?": "Masks are a network's answer, not corrected; labels hold for a film, "
            "a range or a frame and may not fit every person in it.",
            "Does it identify individuals or show what may offend?": "It shows actors and, in documentary footage, "
            f"real persons, at times in war. {YOURS}",
        },
        "Collection and preprocessing": {
            "How was the data acquired?": "Decoded from the films' own files with the matrix and range that each "
            "stream names, or the usual one where it names none (`color_matrix` and `matrix_source` of the workspace).",
            "Over what time were the instances made?": f"Films of {min(years)} to {max(years)}."
            if years
            else "The films manifest gives no years.",
            "Was it cleaned or labelled?": "Black, blurred, gray, tinted and text frames and transitions rejected, "
            "near-duplicates dropped; bars were cut off; labels come from the labels manifest, masks from the parser "
            f"`{facts.parser}` with the classes {', '.join(facts.mask_classes)}.",
            "Is the raw data kept?": "By whoever built the dataset: the workspace has every sampled frame.",
        },
        "Uses": {
            "What has it been used for, what else could it be?": "Colorization; also segmentation of clothes and "
            f"classification. {YOURS}",
            "What should it not be used for?": "Recognising persons; statements about peoples by their clothes: labels "
            "name what films show, not what was worn.",
        },
        "Distribution and maintenance": {
            "Under what terms?": (f"Those of the films: {'; '.join(rights)}. " if rights else "Those of the films. ")
            + (f"The manifest gives none for {without} of {facts.films.num_rows} films. " if without else "")
            + YOURS,
            "How can a film be taken down?": "Its row in the films manifest gets an `exclude` with the reason, and the "
            "dataset is made anew; unchanged shards stay as they are.",
            "Who maintains it?": YOURS,
        },
    }


def _given(facts: Facts, column: str) -> list[str]:
    return [str(value) for value in facts.films[column].drop_null().to_pylist()]
