import pytest
import torch

from mhmd.historynet.archive import EMULSIONS, Aging, aged, blurred, drawn_aging, noise
from mhmd.historynet.lab import srgb_to_lab, srgb_to_linear

PLAIN = Aging(0.212671, 0.71516, 0.072169, blur_px=0, gamma=1, low=0, high=1, grain=0, grain_px=0, seed=1)


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    rgb = torch.rand(3, 3, 24, 40, generator=torch.Generator().manual_seed(0))
    return srgb_to_linear(rgb), srgb_to_lab(rgb)[:, :1] / 100


def test_aging_by_nothing_leaves_lightness_and_no_aging_leaves_it_exactly() -> None:
    linear, lightness = pictures()
    film = aged(linear, lightness, [PLAIN, None, PLAIN])
    torch.testing.assert_close(film, lightness, atol=1e-4, rtol=0)
    assert torch.equal(film[1], lightness[1])
    assert aged(linear, lightness, [None] * 3) is lightness


def test_emulsions_see_red_and_blue_as_they_did() -> None:
    red, blue = torch.tensor([0.8, 0.05, 0.05]), torch.tensor([0.05, 0.05, 0.8])
    linear = torch.stack((red, blue))[:, :, None, None].expand(-1, -1, 16, 16)
    seen = {}
    for name, light in EMULSIONS.items():
        assert sum(light) == pytest.approx(1)
        aging = PLAIN._replace(red=light[0], green=light[1], blue=light[2])
        seen[name] = aged(linear, torch.zeros(2, 1, 16, 16), [aging] * 2).mean(dim=(1, 2, 3)).tolist()
    eye = aged(linear, torch.zeros(2, 1, 16, 16), [PLAIN] * 2).mean(dim=(1, 2, 3)).tolist()
    assert eye[0] > eye[1]  # the eye sees this red more brightly than this blue
    for name in ("blue-sensitive", "orthochromatic"):
        assert seen[name][0] < 0.45 < seen[name][1]
    assert seen["panchromatic"][0] > seen["orthochromatic"][0]


def test_fading_narrows_and_grain_is_seen_most_in_middle_gray() -> None:
    linear, lightness = pictures()
    faded = aged(linear, lightness, [PLAIN._replace(low=0.2, high=0.75)] * 3)
    assert 0.2 <= faded.min() < faded.max() <= 0.75
    torch.testing.assert_close(faded, 0.2 + 0.55 * lightness, atol=1e-4, rtol=0)
    gray = torch.tensor([0.0, 0.184, 1.0]).view(3, 1, 1, 1).expand(3, 3, 64, 64)  # L 0, 50, 100
    film = aged(gray, torch.zeros(3, 1, 64, 64), [PLAIN._replace(grain=0.05)] * 3)
    assert film.std(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0.05, 0], abs=0.002)


def test_blur_is_a_gaussian_of_each_pictures_own() -> None:
    spot = torch.zeros(2, 1, 21, 21)
    spot[:, :, 10, 10] = 1
    made = blurred(spot, torch.tensor([0.0, 1.2]))
    assert torch.equal(made[0], spot[0])
    across = made[1, 0].sum(dim=0)
    variance = (across * (torch.arange(21) - 10) ** 2).sum()
    assert variance.item() == pytest.approx(1.2**2, rel=0.02)
    flat = blurred(torch.full((1, 1, 9, 9), 0.3), torch.tensor([1.5]))
    torch.testing.assert_close(flat, torch.full_like(flat, 0.3))


def test_noise_is_noise_and_its_seeds_alone() -> None:
    made = noise(torch.tensor([1, 2, 1]), 96, 97)
    assert torch.equal(made[0], made[2])
    assert not torch.equal(made[0], made[1])
    assert made.mean(dim=(1, 2, 3)).abs().max() < 0.03
    assert made.std(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=0.03)
    neighbours = (made[0, 0, :, 1:] * made[0, 0, :, :-1]).mean(), (made[0, 0, 1:] * made[0, 0, :-1]).mean()
    assert max(abs(each.item()) for each in (*neighbours, (made[0] * made[1]).mean())) < 0.03


def test_the_share_that_is_aged_and_what_is_drawn() -> None:
    drawn = [drawn_aging(7, position, 0.25) for position in range(2000)]
    found = [aging for aging in drawn if aging is not None]
    assert len(found) / 2000 == pytest.approx(0.25, abs=0.03)
    assert drawn[:50] == [drawn_aging(7, position, 0.25) for position in range(50)]
    assert all(aging.red + aging.green + aging.blue == pytest.approx(1) for aging in found)
    assert all(0 <= aging.low < aging.high <= 1 for aging in found)
    assert drawn_aging(7, 1, 0) is None
    assert drawn_aging(7, 1, 1) is not None
