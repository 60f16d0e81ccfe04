"""How the roles speak gRPC: sizes, keepalive, reconnects. The same on both ends, or one end hangs up on the other."""

from typing import Final

MESSAGE_BYTES_MAX: Final = 1_500_000  # a body of 100,000 characters is 400 KB, a page of missed entries about 1 MB
BATCH_BYTES_MAX: Final = 256 * 1024  # things that waited together go in one message up to this and one more
STREAMS_MAX: Final = 1_000  # calls under way on one connection: one stream and what its caller asks beside it
KEEPALIVE_MS: Final = 2_000
KEEPALIVE_TIMEOUT_MS: Final = 2_000  # frees what a dead peer holds; the streams' own heartbeats notice sooner

_COMMON: Final = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
CLIENT_OPTIONS: Final = (
    *_COMMON,
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection
    ("grpc.enable_retries", 0),  # what may be repeated, and where, is decided here
    ("grpc.enable_http_proxy", 0),
)
SERVER_OPTIONS: Final = (
    *_COMMON,
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.so_reuseport", 0),  # a port in use is an error, not shared
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.http2.max_ping_strikes", 0),
)
