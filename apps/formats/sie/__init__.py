"""SIE 1-4, the Swedish ledger file: bytes in, records out."""

from apps.formats.sie.faults import Problem, SieError, SieWarning
from apps.formats.sie.model import DimensionKind, PeriodBalance, SieFile, Year, YearBalance, voucher_difference
from apps.formats.sie.reader import MAX_BYTES, read_sie

__all__ = [
    "MAX_BYTES",
    "DimensionKind",
    "PeriodBalance",
    "Problem",
    "SieError",
    "SieFile",
    "SieWarning",
    "Year",
    "YearBalance",
    "read_sie",
    "voucher_difference",
]
