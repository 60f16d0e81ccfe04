"""What files are, how they may be shown, and who may fetch them. The bytes are in the blob store."""

from nottermost_chat.files.disposition import content_disposition
from nottermost_chat.files.images import ImageInfo, Images, inspect_image, make_thumbnail
from nottermost_chat.files.links import LinkAction, LinkExpired, LinkInvalid, check, sign
from nottermost_chat.files.ranges import ByteRange, parse_range
from nottermost_chat.files.sniff import SNIFF_BYTES, inline_allowed, sniff_content_type

__all__ = [
    "SNIFF_BYTES",
    "ByteRange",
    "ImageInfo",
    "Images",
    "LinkAction",
    "LinkExpired",
    "LinkInvalid",
    "check",
    "content_disposition",
    "inline_allowed",
    "inspect_image",
    "make_thumbnail",
    "parse_range",
    "sign",
    "sniff_content_type",
]
