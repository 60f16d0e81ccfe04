"""An idempotent producer, and the thread that tells what became of its records."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from nottermost_chat.adapters.kafka_client import Brokers

LINGER_MS: Final = 1  # p50 1.4 ms to the confirmation; without it 5 ms, as each record goes alone
DELIVERY_MS: Final = 900  # below the second that ingest waits; then the client forgets the record
QUEUE_RECORDS: Final = 10_000  # as many as ingest holds requests; when it is full the log counts as away
QUEUE_KB: Final = 16_384
POLL_S: Final = 0.2  # how long `close` may have to wait for the thread
FLUSH_S: Final = 1.0
JOIN_S: Final = 5.0

logger = structlog.get_logger(__name__)


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record on its way to a topic."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


class Publisher:
    """Sends records and waits until the brokers have them. Once `broken` it is of no more use."""

    def __init__(self, brokers: Brokers) -> None:
        self.broken = False  # a fatal error: the order of records can no longer be promised
        self._waiting: set[_Confirmation] = set()
        self._producer = Producer(
            brokers.properties(
                enable_idempotence=True,
                acks="all",
                linger_ms=LINGER_MS,
                delivery_timeout_ms=DELIVERY_MS,
                # Java's partitioner: every client in any language puts a conversation in the same place.
                partitioner="murmur2_random",
                compression_type="lz4",
                queue_buffering_max_messages=QUEUE_RECORDS,
                queue_buffering_max_kbytes=QUEUE_KB,
            )
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="log-producer", daemon=True)
        self._thread.start()

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Returns when the brokers have all of them; after an error they may have some.

        Raises: KafkaException, or BufferError when the queue is full.
        """
        confirmation = _Confirmation(asyncio.get_running_loop(), len(records))
        self._waiting.add(confirmation)
        try:
            for record in records:
                self._producer.produce(
                    topic, record.value, record.key, headers=record.headers, on_delivery=confirmation.note
                )
            await confirmation.settled
        finally:
            self._waiting.discard(confirmation)
            confirmation.settled.cancel()

    async def close(self) -> None:
        """Gives what waits a second to go out."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, JOIN_S)

    def _serve(self) -> None:
        try:
            while not self._stopping.is_set():
                self._producer.poll(POLL_S)
            self._producer.flush(FLUSH_S)
        except (KafkaException, SystemError) as error:  # SystemError: a callback ran while the fatal error was raised
            self.broken = True
            logger.warning("log_producer_failed", error=str(error))
            for confirmation in list(self._waiting):
                confirmation.fail(error)
        finally:
            self._producer.purge()
            self._producer.close()


class _Confirmation:
    """The fate of the records of one `send`, told by the producer's thread to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, records: int) -> None:
        self._loop, self._left = loop, records
        self.settled: asyncio.Future[None] = loop.create_future()

    def note(self, error: KafkaError | None, _: Message) -> None:
        self._left -= 1
        if error is not None:
            self.fail(KafkaException(error))
        elif self._left == 0:
            self._tell(None)

    def fail(self, error: Exception) -> None:
        self._tell(error if isinstance(error, KafkaException) else KafkaException(KafkaError(KafkaError._FATAL)))

    def _tell(self, error: Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, error)
        except RuntimeError:
            pass  # the loop has ended, and with it who waited

    def _settle(self, error: Exception | None) -> None:
        if self.settled.done():
            return
        if error is None:
            self.settled.set_result(None)
        else:
            self.settled.set_exception(error)
