from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seq2drum.lattice.patterns import SLICE, SLICES
from seq2drum.learn.generators.looping import DISTANCE
from seq2drum.learn.generators.wavegan import Config, Critic, Generator, Recipe, WaveGan, shuffled
from seq2drum.learn.run import loop
from seq2drum.play.generators.composer import Brief
from seq2drum.play.generators.loops import LoopMaker
from tests.learn.test_loops import some_loops


def test_phases_are_moved_in_time_and_each_loop_by_its_own_number_of_samples() -> None:
    torch.manual_seed(0)
    seen = torch.arange(100.0).repeat(64, 3, 1)
    moved = shuffled(seen, 2)
    shifts = (moved - seen)[:, :, 50]
    assert (shifts == shifts[:, :1]).all() and set(shifts[:, 0].tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert (moved[:, :, 2:-2] - seen[:, :, 2:-2] == shifts[..., None]).all()
    assert moved.min() >= 0 and moved.max() <= 99


def test_it_has_the_sizes_of_the_paper_for_a_bar() -> None:
    config = Config(kits=4, wish=14)
    with torch.device("meta"):
        generator, critic = Generator(config), Critic(config)
    assert [(layer.in_channels, layer.out_channels) for layer in generator.layers] == [
        (1024, 512),
        (512, 256),
        (256, 128),
        (128, 64),
        (64, 1),
    ]
    assert all(layer.kernel_size == (25,) and layer.stride == (4,) for layer in (*generator.layers, *critic.layers))
    assert sum(value.numel() for value in generator.parameters()) > 18e6


def test_a_score_depends_on_no_other_loop_of_the_batch() -> None:
    torch.manual_seed(0)
    critic = Critic(Config(kits=2, wish=14, channels=1, shuffle=0))
    sound, kit, wish = torch.randn(3, SLICES, SLICE), torch.eye(3, 2), torch.zeros(3, 14)
    alone = torch.cat([critic(sound[at : at + 1], kit[at : at + 1], wish[at : at + 1]) for at in range(3)])
    torch.testing.assert_close(critic(sound, kit, wish), alone)


@pytest.mark.slow
def test_a_few_steps_change_both_nets_and_leave_a_maker_that_plays(tmp_path: Path) -> None:
    work = WaveGan(some_loops(), Recipe(steps=4, batch=8, channels=1, every=2, device="cpu"), lambda line: None)
    before = {name: [value.clone() for value in net.parameters()] for name, net in work.models.items()}
    trained = loop.train(work, tmp_path / "run")
    assert trained.progress.validation[DISTANCE] > 0 and np.isfinite(trained.progress.training["penalty"])
    for name, net in work.models.items():
        assert any((old != new).any() for old, new in zip(before[name], net.parameters(), strict=True)), name
    sound = LoopMaker.load(tmp_path / "run" / "best").make(Brief(bars=2), 1).sound
    assert np.isfinite(sound).all() and sound.any()
