import pytest

from mhmd.errors import RecipeError
from mhmd.historynet.config import TrainConfig


def test_defaults_are_the_papers() -> None:
    config = TrainConfig()
    assert (config.size_px, config.batch, config.epochs, config.learning_rate) == (224, 16, 8, 2e-5)
    weights = (config.weight_ab, config.weight_class, config.weight_critic, config.weight_parsing, config.weight_info)
    assert weights == (2.0, 0.002, 0.1, 0.002, 0.002)
    assert (config.beta_1, config.gradient_penalty, config.width, config.variant) == (0.5, 10, 1.0, "full")


def test_steps_of_a_run() -> None:
    assert TrainConfig(steps=7).total_steps(1000) == 7
    assert TrainConfig(epochs=3, batch=16).total_steps(16 * 5) == 15
    assert TrainConfig(epochs=2, batch=16).total_steps(17) == 3


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"weight_ab": 0, "weight_critic": 0}, "nothing would teach colour"),
        ({"backbone_weights": "torchvision", "width": 0.5}, "width 1 only"),
        ({"size_px": 100}, "size_px"),
        ({"weight_info": -1}, "weight_info"),
        ({"variant": "fullest"}, "variant"),
        ({"learning_rat": 1e-3}, "did you mean 'learning_rate'"),
    ],
)
def test_bad_knobs_are_told(knobs: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        TrainConfig.checked(knobs, "recipe x, [train]")
