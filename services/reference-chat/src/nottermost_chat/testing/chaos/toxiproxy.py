"""Links with faults: proxies of a running Toxiproxy and what it does to what passes through them."""

from typing import Any, Final

import httpx

ANSWER_S: Final = 5.0


class Toxiproxy:
    """Talks to the server at `url`."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=ANSWER_S)

    def close(self) -> None:
        self._http.close()

    def add(self, name: str, port: int, to_port: int) -> None:
        """Pass on what comes to `port`."""
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{to_port}", "enabled": True}
        self._call("POST", "/proxies", body)

    def redirect(self, name: str, to_port: int) -> None:
        """From now on the proxy leads elsewhere, as a name does after a failover."""
        self._call("POST", f"/proxies/{name}", {"upstream": f"127.0.0.1:{to_port}"})

    def slow_down(self, name: str, latency_ms: int) -> None:
        """Each way takes so much longer."""
        for stream in ("upstream", "downstream"):
            self._poison(name, "latency", stream, {"latency": latency_ms})

    def partition(self, name: str) -> None:
        """Nothing comes through, neither way, and nobody is told: connections seem to stay open."""
        for stream in ("upstream", "downstream"):
            self._poison(name, "timeout", stream, {"timeout": 0})

    def reset(self, name: str, after_ms: int) -> None:
        """Connections are reset so long after they were used."""
        self._poison(name, "reset_peer", "downstream", {"timeout": after_ms})

    def heal(self, name: str = "") -> None:
        """The proxy passes everything on again; without a name all do."""
        if not name:
            self._call("POST", "/reset")
            return
        for toxic in self._call("GET", f"/proxies/{name}/toxics"):
            self._call("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")

    def _poison(self, name: str, kind: str, stream: str, attributes: dict[str, int]) -> None:
        body = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
        self._call("POST", f"/proxies/{name}/toxics", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body).raise_for_status()
        return answer.json() if answer.content else None
