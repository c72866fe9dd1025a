"""Say which ports of this machine the stack wants, in the form that preflight checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def kind_ports(mappings: object, cluster: str) -> list[dict[str, object]]:
    """Return the TCP ports that kind publishes for ``cluster``; its control plane may hold them.

    What is no list of mappings has no ports: the check of the variable itself reports it.
    """
    return [
        {
            "port": mapping["host_port"],
            "address": mapping.get("listen_address", "127.0.0.1"),
            "variable": "kind_cluster_port_mappings",
            "owner_container": f"{cluster}-control-plane",
        }
        for mapping in (mappings if isinstance(mappings, list) else [])
        if isinstance(mapping, Mapping)
        and "host_port" in mapping
        and mapping.get("protocol", "tcp") == "tcp"
    ]


class FilterModule:
    """The filters of this file, as Ansible looks them up."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by the names that templates use."""
        return {"kind_ports": kind_ports}
