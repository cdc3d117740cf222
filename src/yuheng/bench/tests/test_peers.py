import time

import pytest

from yuheng.bench.ingest import _compared
from yuheng.bench.peer_runs import is_installed, run_peer
from yuheng.bench.peers import BATCH_MESSAGES, STORES
from yuheng.bench.workload import POINTS_A_MESSAGE

pytestmark = pytest.mark.engines


def test_every_peer_has_a_batch_size():
    assert BATCH_MESSAGES.keys() == STORES.keys()


@pytest.mark.parametrize("peer", STORES)
def test_a_peer_commits_everything_that_was_published(peer, tmp_path):
    if not is_installed(peer):
        pytest.skip("this machine has no InfluxDB")

    run = run_peer(peer, tmp_path, seconds=0.5, seed=1, start_ms=(int(time.time()) - 3600) * 1000)

    assert run.points > POINTS_A_MESSAGE
    assert run.points_per_s == pytest.approx(run.points / run.elapsed_s)


def test_the_ratio_is_null_without_the_peer():
    assert _compared([100.0], []) == {"points_per_s": None, "ratio": None}
    assert _compared([100.0, 300.0, 200.0], [50.0, 100.0, 200.0])["ratio"] == 2.0
