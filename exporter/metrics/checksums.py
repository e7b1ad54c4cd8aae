"""CRC-32 of texts that are put together, calculated from the CRC-32 of each part. Pure.

zlib's `crc32_combine` does this. Python does not offer it.

A CRC-32 is a polynomial over GF(2), modulo the one of RFC 1952, 8. Its bits are in reverse order: bit 31 is x^0. To
append n bytes is to multiply the polynomial of what is before by x^(8n).
"""

from functools import lru_cache

_MODULUS = 0xEDB88320
_ONE = 1 << 31
_X8 = 1 << 23


def joined(before: int, after: int, shift: int) -> int:
    """The CRC-32 of two texts, one after the other; `shift` is that of the length of the second one."""
    return _multiplied(before, shift) ^ after


def shift_of(length: int) -> int:
    """x^(8 * length): what a CRC-32 is multiplied by when so many bytes follow."""
    result, place = _ONE, 0
    while length:
        if length & 0xFF:
            result = _multiplied(result, _power(length & 0xFF, place))
        length >>= 8
        place += 1
    return result


@lru_cache(maxsize=2048)  # at most 255 of each of the 8 places
def _power(byte: int, place: int) -> int:
    """x^(8 * byte * 256^place)."""
    base = _X8
    for _ in range(8 * place):
        base = _multiplied(base, base)
    result = _ONE
    for _ in range(byte):
        result = _multiplied(result, base)
    return result


def _multiplied(one: int, other: int) -> int:
    """The product of two polynomials."""
    product, bit = 0, _ONE
    while one:
        if one & bit:
            product ^= other
            one ^= bit
        bit >>= 1
        other = (other >> 1) ^ _MODULUS if other & 1 else other >> 1
    return product
