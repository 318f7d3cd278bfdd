"""For all suites: settings that must be there before gRPC is imported."""

import os

# Tests start servers while they hold channels: gRPC's handlers of a fork may abort such a child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
