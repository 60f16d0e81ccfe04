"""Whether a server answers: one small question each, in its own protocol, with a time limit."""

import http.client
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

HOST: Final = "127.0.0.1"
ANSWER_S: Final = 2.0  # a healthy server on this machine takes milliseconds

Probe: TypeAlias = Callable[[], bool]


def http_probe(port: int, path: str = "/healthz") -> Probe:
    """Answers 2xx on `path`."""
    return partial(_answers_http, port, path, 300)


def http_alive_probe(port: int) -> Probe:
    """Answers anything but an error of its own: for servers without a page about their health."""
    return partial(_answers_http, port, "/", 500)


def redis_probe(port: int) -> Probe:
    """Answers PING; while it loads its data it answers an error instead."""
    return partial(_answers_redis, port)


def postgres_probe(port: int) -> Probe:
    """Takes sessions, as pg_isready asks: no account is needed."""
    return partial(_answers_postgres, port)


def kafka_probe(port: int) -> Probe:
    """Is among the brokers that it lists, so it is registered and serves."""
    return partial(_answers_kafka, port)


def _answers_http(port: int, path: str, status_below: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < status_below
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _answers_redis(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), ANSWER_S) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def _answers_postgres(port: int) -> bool:
    from psycopg.pq import PGconn, Ping

    return PGconn.ping(f"host={HOST} port={port} connect_timeout={ANSWER_S:.0f}".encode()) == Ping.OK


def _answers_kafka(port: int) -> bool:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    with (
        suppress(OSError),
        socket.create_connection((HOST, port), ANSWER_S),
    ):  # its client would wait for a port to open
        client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
        with suppress(KafkaException):
            return any(broker.port == port for broker in client.list_topics(timeout=ANSWER_S).brokers.values())
    return False
