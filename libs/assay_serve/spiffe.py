"""How a certificate names a service: by its URI to whom it calls, by a host to who calls it."""


def uri(deployment: str, service: str) -> str:
    """Return the identity of a service, as in spiffe://assay/0d3f1c1e-…/metadata."""
    return f"spiffe://assay/{deployment}/{service}"


def host(deployment: str, service: str) -> str:
    """Return the host that a caller demands: gRPC compares hosts, not URIs, with a server's."""
    return f"{service}.{deployment}.assay"
