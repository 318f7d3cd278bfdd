"""For all suites: settings that must be there before gRPC, or a test, is imported."""

import os
import signal

from hypothesis import HealthCheck, settings

# Tests start servers while they hold channels: gRPC's handlers of a fork may abort such a child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A shell's background job ignores Ctrl-C, and so would the commands that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's affair, and no test asserts it.
settings.register_profile(
    "assay", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("assay")
