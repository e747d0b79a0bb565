"""Types of accounts and kinds of dimensions."""

from apps.records.enums import AccountType

KTYP = {
    "T": AccountType.ASSET,
    "S": AccountType.LIABILITY,
    "K": AccountType.EXPENSE,
    "I": AccountType.INCOME,
}
BAS = {
    "0": AccountType.OFF_BALANCE,
    "1": AccountType.ASSET,
    "2": AccountType.LIABILITY,
    "3": AccountType.INCOME,
    "4": AccountType.EXPENSE,
    "5": AccountType.EXPENSE,
    "6": AccountType.EXPENSE,
    "7": AccountType.EXPENSE,
    "8": AccountType.EXPENSE,
}
RESERVED = {
    "1": "cost_centre",
    "2": "cost_unit",
    "6": "project",
    "7": "employee",
    "8": "customer",
    "9": "supplier",
    "10": "invoice",
}


def account_type(number: str, ktyp: str = "") -> AccountType:
    """#KTYP where the file has one (S on 20xx is equity: SIE has no letter for it), else the BAS class.

    BAS: 1 assets, 20 equity, other 2 liabilities (untaxed reserves too), 3 income, 4-7 expenses, 80-83 financial
    income, 84-89 financial expenses, appropriations and tax. 0 is memoranda. Class 9 is each company's own and what is
    not a number says nothing: unknown, for staff to classify.
    """
    numeric = number.isascii() and number.isdigit()
    if ktyp in KTYP:
        equity = ktyp == "S" and numeric and number.startswith("20") and len(number) >= 4
        return AccountType.EQUITY if equity else KTYP[ktyp]
    if not numeric or len(number) < 4:
        return AccountType.UNKNOWN
    if number.startswith("20"):
        return AccountType.EQUITY
    if number[:2] in ("80", "81", "82", "83"):
        return AccountType.INCOME
    return BAS.get(number[0], AccountType.UNKNOWN)


def name_kinds(declared: dict[str, str]) -> dict[str, str]:
    """Kind of each declared dimension: the standard's word, else the file's own name, made unique by its number."""
    kinds: dict[str, str] = {}
    taken = set(RESERVED.values())
    for number, name in declared.items():
        kind = RESERVED.get(number) or name or f"dimension {number}"
        if number not in RESERVED and kind in taken:
            kind = f"{kind} ({number})"
        taken.add(kind)
        kinds[number] = kind
    return kinds


def kind_of(number: str, kinds: dict[str, str]) -> str:
    return kinds.get(number) or RESERVED.get(number) or f"dimension {number}"
