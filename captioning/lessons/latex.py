"""Numbers as formulas show them: three decimals, and brackets around negative numbers."""

DECIMALS = 3


def numeral(value: float) -> str:
    """Write a number with three decimals; a rounded zero has no sign.

    >>> numeral(0.12345), numeral(-0.0001), numeral(-2)
    ('0.123', '0.000', '-2.000')
    """
    text = f"{value:.{DECIMALS}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(value: float) -> str:
    """Write a number so that it can follow a sign.

    >>> signed(-0.5), signed(0.5)
    ('(-0.500)', '0.500')
    """
    text = numeral(value)
    return f"({text})" if text.startswith("-") else text


def total(*values: float) -> str:
    """Write a sum.

    >>> total(0.5, -1.25)
    '0.500 + (-1.250)'
    """
    first, *others = values
    return " + ".join([numeral(first), *map(signed, others)])
