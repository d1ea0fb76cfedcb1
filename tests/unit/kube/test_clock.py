"""The live clock."""

from exporter.kube.clock import Clock


def test_steps_of_the_wall_clock_do_not_reach_us() -> None:
    wall, monotonic = [1000.0], [5.0]
    clock = Clock(wall=lambda: wall[0], monotonic=lambda: monotonic[0])
    assert clock.now() == 1000
    wall[0], monotonic[0] = 400.0, 8.0
    assert clock.now() == 1003
