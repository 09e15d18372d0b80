"""How close does the limiter come to the best fixed level, server by server?"""

import argparse, time
from statistics import median
from tests.simulated_server import *


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--models")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--first", type=int, default=0)
    a = p.parse_args()
    for name, model in {**MODELS, **GONE}.items():
        if a.models and not any(m in name for m in a.models.split(";")):
            continue
        t = time.process_time()
        runs = [simulate(model, s) for s in range(a.first, a.first + a.seeds)]
        t = time.process_time() - t
        n = sum(r.sent for r in runs)
        line = f"{name:28}"
        if name in MODELS:
            best = best_fixed(model)
            share = sorted(r.pace() / best.pace() for r in runs)
            line += f" share {median(share):.2f} worst {share[0]:.2f} p99 x{median(r.p99() / best.p99() for r in runs):.1f} after 5 s x{median(r.p99(5.0) / best.p99(5.0) if r.latencies[-1][0] > 6 and best.latencies[-1][0] > 6 else 0 for r in runs):.1f}"
        print(
            f"{line} | failed {median(r.failed_share for r in runs):.2%} worst {max(r.failed_share for r in runs):.2%} lost {max(r.lost for r in runs)} n.a. {max(r.not_attempted for r in runs)} sent {median(r.sent for r in runs):.0f} away {max(r.sent_away for r in runs)} end {median(r.ended_at for r in runs):.0f} | {t / n * 1e6:.1f} us/request {t:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
