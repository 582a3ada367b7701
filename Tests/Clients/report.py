"""What every program here prints: one fact a line, flushed, so that a test can wait for it."""

import sys
import zlib


def say(word, *values):
    text = " ".join([word] + [str(value) for value in values])
    sys.stdout.write(text.replace("\r", "\\r").replace("\n", "\\n") + "\n")
    sys.stdout.flush()


def shown(octets):
    """A message for one line: its text when that is short, else its length and CRC-32."""
    if len(octets) > 2000:
        return f"{len(octets)} octets, crc {zlib.crc32(octets):08x}"
    return octets.decode("utf-8", "backslashreplace")


def fail(reason):
    say("failed", reason)
    sys.exit(1)


def pattern(length):
    """So many octets in which a lost, doubled or moved piece shows: the period is a prime."""
    return (bytes(range(251)) * (length // 251 + 1))[:length]
