"""The integers of LiteRT's LSTM in NumPy: fixed point of 16 bits. Used by the tests of recurrent TFLite files."""
import math

import numpy as np


def round_away(x, bits):
    """x / 2^bits, halves away from zero."""
    half = 1 << bits >> 1
    return np.where(x < 0, -((-x + half) >> bits), (x + half) >> bits)


def int16(x):
    return np.clip(x, -32768, 32767)


def scaled(x, factor):
    """x * factor in fixed point, rounded twice: to 31 fractional bits of the factor, then by its exponent."""
    mantissa, exponent = math.frexp(float(factor))
    x = np.asarray(x, np.int64) << max(exponent, 0)
    return round_away((x * round(mantissa * 2**31) + 2**30) >> 31, max(-exponent, 0))


def times(a, b):
    return np.minimum(round_away(a * b, 15), 32767)


def constant(v):
    return int(round(v * 32768))


def exp_of(n, integer_bits):
    """exp of n <= 0 with 15 - integer_bits fractional bits: a polynomial on the last quarter, one factor for each bit above it."""
    fraction = 15 - integer_bits
    quarter = 1 << (fraction - 2)
    rest = (n & (quarter - 1)) - quarter
    x = (rest << integer_bits) + constant(1 / 8)
    x2 = times(x, x)
    high = round_away(times(x2, x2), 2) + times(x2, x)
    series = x + round_away(times(high, constant(1 / 3)) + x2, 1)
    y = constant(math.exp(-1 / 8)) + times(constant(math.exp(-1 / 8)), series)
    for exponent in range(-2, min(integer_bits, 5)):
        y = np.where((rest - n) >> (fraction + exponent) & 1, times(y, constant(math.exp(-2.0**exponent))), y)
    return np.where(n == 0, 32767, y)


def twice_inverse(a):
    """2 / (1 + a), 13 fractional bits, for a in 0..1: three steps of Newton's from 48/17 - 32/17 d."""
    d = (a + 32767 + 1) >> 1
    x = round(48 / 17 * 8192) + times(d, round(-32 / 17 * 8192))
    for _ in range(3):
        x = x + (times(x, 8192 - times(d, x)) << 2)
    return x


def sigmoid(q):
    """Of sums in steps of 2^-12."""
    y = int16(twice_inverse(exp_of(np.maximum(-abs(q), -32767), 3)) << 1)
    return np.where(q == 0, 16384, np.where(q < 0, 32767 - y, y))


def tanh(q, integer_bits=3):
    """Of q with integer_bits before the point, up to 4."""
    return np.sign(q) * int16((twice_inverse(exp_of(np.maximum(-abs(q), -32767), integer_bits + 1)) - 8192) << 2)
