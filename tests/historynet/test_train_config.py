import pytest

from mhmd.errors import RecipeError
from mhmd.historynet.config import TrainConfig
from mhmd.recipe import Recipe


def test_defaults_are_the_papers() -> None:
    config = TrainConfig()
    assert (config.size_px, config.batch, config.epochs, config.learning_rate) == (224, 16, 8, 2e-5)
    weights = (config.weight_ab, config.weight_class, config.weight_critic, config.weight_parsing, config.weight_info)
    assert weights == (2.0, 0.002, 0.1, 0.002, 0.002)
    assert (config.beta_1, config.gradient_penalty, config.width, config.variant) == (0.5, 10, 1.0, "full")


@pytest.mark.parametrize(
    ("variant", "head", "weights"),
    [
        ("baseline", "imagenet", (1, 0.003, 0.1, 0, 0)),
        ("classifier", "labels", (2, 0.002, 0.1, 0, 0.002)),
        ("parsing", "labels", (2, 0.002, 0.1, 0.002, 0)),
        ("full", "labels", (2, 0.002, 0.1, 0.002, 0.002)),
    ],
)
def test_variants_are_the_papers(variant: str, head: str, weights: tuple[float, ...]) -> None:
    config = TrainConfig.model_validate({"variant": variant})
    names = ("weight_ab", "weight_class", "weight_critic", "weight_parsing", "weight_info")
    assert tuple(getattr(config, name) for name in names) == weights
    assert config.class_head == head
    quirks = (config.mask_target, config.colour_class, config.input_scale, config.ab_range, config.framing)
    assert quirks == ("gray", "info", "plain", "sigmoid", "squash")


def test_what_is_given_comes_before_what_the_variant_starts_from() -> None:
    ours = TrainConfig.checked({"variant": "ours", "weight_ab": 1.0, "mask_target": "gray"}, "")
    assert (ours.weight_ab, ours.mask_target, ours.class_head) == (1.0, "gray", "attributes")
    recipe = Recipe("x", {"train": {"variant": "full", "weight_class": 0.5}})
    chosen = recipe.knobs("train", TrainConfig, {"variant": "baseline"})
    assert (chosen.weight_class, chosen.weight_ab, chosen.class_head) == (0.5, 1.0, "imagenet")
    assert TrainConfig.model_validate(ours.model_dump()) == ours


def test_steps_of_a_run() -> None:
    assert TrainConfig(steps=7).total_steps(1000) == 7
    assert TrainConfig(epochs=3, batch=16).total_steps(16 * 5) == 15
    assert TrainConfig(epochs=2, batch=16).total_steps(17) == 3


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"weight_ab": 0, "weight_critic": 0}, "nothing would teach colour"),
        ({"variant": "classifier", "weight_parsing": 0.1}, "no parsing branch"),
        ({"batch": 10, "accumulate": 4}, "10 cannot be taken in 4"),
        ({"batch": 4, "accumulate": 4, "size_px": 32}, "needs 2 samples at once"),
        ({"size_px": 100}, "size_px"),
        ({"weight_info": -1}, "weight_info"),
        ({"variant": "fullest"}, "variant"),
        ({"learning_rat": 1e-3}, "did you mean 'learning_rate'"),
    ],
)
def test_bad_knobs_are_told(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        TrainConfig.checked(knobs, "recipe x, [train]")
