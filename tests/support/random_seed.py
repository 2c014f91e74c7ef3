"""The seed of a test's random numbers: printed, so that FOVEA_SEED in the environment repeats a failure, as it does for
tests in C."""
import os
import random


def random_seed():
    """What FOVEA_SEED says, else a new one."""
    seed = int(os.environ.get("FOVEA_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"FOVEA_SEED={seed}", flush=True)
    return seed
